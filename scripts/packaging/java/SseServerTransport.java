// SPDX-License-Identifier: Apache-2.0
package sseserver;  // As in SseServerClient.java.

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.function.Supplier;

/** Requests of {@link SseServerClient} and their JSON. Immutable and thread-safe. */
final class SseServerTransport {
  private static final long FIRST_PAUSE_MILLIS = 200;

  final HttpClient http;
  final String url;
  final Supplier<String> key;
  final Duration timeout;
  final int retries;

  SseServerTransport(HttpClient http, String url, Supplier<String> key, Duration timeout, int retries) {
    this.http = http;
    this.url = url;
    this.key = key;
    this.timeout = timeout;
    this.retries = retries;
  }

  /**
   * Returns the JSON of an answer with 200. Throws Failure for any other, and if there is none within the timeout.
   *
   * @param body becomes JSON; null: the request has none
   * @param repeatable whether the call may reach the server more than once
   * @param more what is added to the timeout
   */
  Object call(String method, String path, Map<String, String> query, Map<String, ?> body, boolean repeatable, Duration more) {
    StringJoiner address = new StringJoiner("&", url + "/api/v1/" + path + "?", "").setEmptyValue(url + "/api/v1/" + path);
    query.forEach((name, value) -> address.add(name + "=" + encoded(value)));
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(address.toString())).timeout(timeout.plus(more));
    request.method(method, body == null ? HttpRequest.BodyPublishers.noBody() : HttpRequest.BodyPublishers.ofString(Json.write(body)));
    if (body != null) request.header("Content-Type", "application/json");
    for (int tries = 0;; ++tries) {
      try {
        return attempt(request, method + " " + url + "/api/v1/" + path);
      } catch (SseServerClient.Failure e) {
        if (!repeatable || tries >= retries || !e.isTemporary()) throw e;
        try {
          Thread.sleep(FIRST_PAUSE_MILLIS << Math.min(tries, 6));
        } catch (InterruptedException interrupted) {
          Thread.currentThread().interrupt();
          throw e;
        }
      }
    }
  }

  private Object attempt(HttpRequest.Builder request, String what) {
    String token = key == null ? "" : key.get().strip();
    if (!token.chars().allMatch(c -> c > 0x20 && c < 0x7f)) {  // whose exception would show it
      throw new IllegalArgumentException("the admin token has a character that no header may have; give one line of its file");
    }
    if (!token.isEmpty()) request.setHeader("Authorization", "Bearer " + token);
    HttpResponse<String> response;
    try {
      response = http.send(request.build(), HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
    } catch (IOException e) {
      String why = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
      why = ": no answer (" + why + "); is it the address of --admin, does the server run?";
      throw new SseServerClient.Failure(0, what + why, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SseServerClient.Failure(0, what + ": interrupted before the answer; the server may have done it", e);
    }
    int status = response.statusCode();
    Object answer = null;
    try {
      answer = Json.read(response.body());
      if (status == 200) return answer;
    } catch (IllegalArgumentException e) {
      if (status == 200) throw new SseServerClient.Failure(502, what + ": no answer of sse-serve: " + e.getMessage(), e);
    }
    Object detail = answer instanceof Map ? ((Map<?, ?>) answer).get("detail") : null;
    throw new SseServerClient.Failure(status, what + ": " + status + ", " + (detail != null ? detail : start(response.body())));
  }

  static String encoded(Object text) { return URLEncoder.encode(text.toString(), StandardCharsets.UTF_8).replace("+", "%20"); }

  private static String start(String text) { return text.substring(0, Math.min(200, text.length())); }

  /** Maps, lists, strings, Long, Double, Boolean and null. Throws IllegalArgumentException. */
  static final class Json {
    private static final int MAX_DEPTH = 100;
    private final String text;
    private int at;

    private Json(String text) { this.text = text; }

    static String write(Object value) {
      StringBuilder out = new StringBuilder();
      write(out, value, 0);
      return out.toString();
    }

    private static void write(StringBuilder out, Object value, int depth) {
      if (depth > MAX_DEPTH) throw new IllegalArgumentException("more than " + MAX_DEPTH + " levels; does it hold itself?");
      if (value instanceof Map) {
        String comma = "{";
        for (Map.Entry<?, ?> field : ((Map<?, ?>) value).entrySet()) {
          write(out.append(comma), String.valueOf(field.getKey()), depth);
          write(out.append(':'), field.getValue(), depth + 1);
          comma = ",";
        }
        out.append(comma.equals("{") ? "{}" : "}");
      } else if (value instanceof Collection) {
        String comma = "[";
        for (Object one : (Collection<?>) value) {
          write(out.append(comma), one, depth + 1);
          comma = ",";
        }
        out.append(comma.equals("[") ? "[]" : "]");
      } else if (value instanceof CharSequence) {
        out.append('"');
        value.toString().chars().forEach(c -> {
          if (c == '"' || c == '\\') out.append('\\').append((char) c);
          else if (c < 0x20 || Character.isSurrogate((char) c)) out.append(String.format("\\u%04x", c));
          else out.append((char) c);
        });
        out.append('"');
      } else if (value == null || value instanceof Boolean || isNumber(value)) {
        out.append(value);
      } else {
        throw new IllegalArgumentException(value.getClass().getName() + " is no JSON; see withEncoder");
      }
    }

    private static boolean isNumber(Object value) {
      return value instanceof Number && !value.toString().matches(".*(NaN|Infinity).*");
    }

    static Object read(String text) {
      Json json = new Json(text);
      Object value = json.value(0);
      if (json.peek() != 0) throw json.wrong();
      return value;
    }

    private Object value(int depth) {
      char first = peek();
      if (depth > MAX_DEPTH) throw wrong();
      if (first == '"') return string();
      if (first == '{') {
        Map<String, Object> map = new LinkedHashMap<>();
        for (next('{'); peek() != '}'; next(',')) {
          String name = string();
          next(':');
          map.put(name, value(depth + 1));
          if (peek() == '}') break;
        }
        next('}');
        return map;
      }
      if (first == '[') {
        List<Object> list = new ArrayList<>();
        for (next('['); peek() != ']'; next(',')) {
          list.add(value(depth + 1));
          if (peek() == ']') break;
        }
        next(']');
        return list;
      }
      int begin = at;
      while (at < text.length() && "{}[],:\" \t\r\n".indexOf(text.charAt(at)) < 0) ++at;
      String word = text.substring(begin, at);
      if (word.equals("null")) return null;
      if (word.equals("true") || word.equals("false")) return word.equals("true");
      try {
        return word.matches("-?[0-9]{1,18}") ? (Object) Long.valueOf(word) : (Object) Double.valueOf(word);
      } catch (NumberFormatException e) {
        throw wrong();
      }
    }

    private String string() {
      StringBuilder out = new StringBuilder();
      for (next('"'); at < text.length(); ++at) {
        char c = text.charAt(at);
        if (c == '"') {
          ++at;
          return out.toString();
        }
        if (c == '\\' && ++at < text.length()) {
          c = text.charAt(at);
          int escape = "bfnrt".indexOf(c);
          if (escape >= 0) c = "\b\f\n\r\t".charAt(escape);
          if (c == 'u' && at + 4 < text.length()) {
            c = (char) Integer.parseInt(text.substring(at + 1, at + 5), 16);
            at += 4;
          }
        }
        out.append(c);
      }
      throw wrong();
    }

    private char peek() {
      while (at < text.length() && Character.isWhitespace(text.charAt(at))) ++at;
      return at < text.length() ? text.charAt(at) : 0;
    }

    private void next(char expected) {
      if (peek() != expected) throw wrong();
      ++at;
    }

    private IllegalArgumentException wrong() {
      return new IllegalArgumentException("no JSON at character " + at + " of: " + start(text));
    }
  }
}
