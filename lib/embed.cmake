# sse_embed(TARGET NAMESPACE SYMBOL FILE): adds `extern const std::string_view NAMESPACE::SYMBOL` with the bytes of FILE to
# TARGET; rebuilt when FILE changes. Declare the symbol in a header of the module.
function(sse_embed target namespace symbol file)
  set(input ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  set(output ${CMAKE_CURRENT_BINARY_DIR}/embedded_${symbol}.cc)
  add_custom_command(OUTPUT ${output} DEPENDS ${input} ${PROJECT_SOURCE_DIR}/lib/embed.cmake
    COMMAND ${CMAKE_COMMAND} -DINPUT=${input} -DOUTPUT=${output} -DNAMESPACE=${namespace} -DSYMBOL=${symbol}
            -P ${PROJECT_SOURCE_DIR}/lib/embed.cmake
    COMMENT "Embedding ${file}" VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()

if(CMAKE_SCRIPT_MODE_FILE AND DEFINED INPUT)
  file(READ ${INPUT} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(REGEX REPLACE "((.......){16})" "\\1\n" bytes "${bytes}")
  file(WRITE ${OUTPUT} "#include <string_view>\n\nnamespace ${NAMESPACE} {\n"
    "namespace {\nconstexpr char kBytes[] = {\n${bytes}'\\0'};\n}\n"
    "extern const std::string_view ${SYMBOL};\nconst std::string_view ${SYMBOL}(kBytes, sizeof(kBytes) - 1);\n}\n")
endif()
