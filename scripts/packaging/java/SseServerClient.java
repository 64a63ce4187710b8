// SPDX-License-Identifier: Apache-2.0
package sseserver;  // Change it to a package of yours.

import java.net.http.HttpClient;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Sends events through sse-serve, and asks it about its streams, over its admin API. Two files without dependencies, for
 * Java 11 and later. Immutable and thread-safe: share one; the with… methods return a changed copy with the same connections.
 *
 * <p>Calls block until the server has answered, and throw {@link Failure}; {@link #async} makes a future of any of them.
 * Arguments that can be no request throw IllegalArgumentException. Queries and sends with qos are repeated after a lost
 * connection and after 429, 503 and 504, with growing pauses; every send with qos has an idempotency key, so that a
 * repetition stores nothing twice. No other call is repeated.
 */
public final class SseServerClient {
  private static final int PAGE_SIZE = 1000;
  private static final Executor THREADS = threads(16, 10_000);

  private final SseServerTransport transport;
  private final String service;
  private final Encoder encoder;

  /**
   * @param url of the admin listener ({@code --admin}), such as http://127.0.0.1:9090
   * @param key returns the admin token; called for every request, so that the token may change
   */
  public SseServerClient(String url, Supplier<String> key) {
    this(new SseServerTransport(
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(10)).build(),
        url.replaceAll("/+$", ""), key, Duration.ofSeconds(10), 3), null, SseServerTransport.Json::write);
    if (!url.matches("https?://[^/?#]+/*")) {
      throw new IllegalArgumentException("'" + url + "' is no admin address; give one like http://127.0.0.1:9090");
    }
  }

  private SseServerClient(SseServerTransport transport, String service, Encoder encoder) {
    this.transport = transport;
    this.service = service;
    this.encoder = encoder;
  }

  /** Which service, if the server hosts several. */
  public SseServerClient withService(String name) { return new SseServerClient(transport, name, encoder); }

  /** How long each try of a request may take; 10 seconds unless it is changed. */
  public SseServerClient withTimeout(Duration limit) { return with(transport.http, limit, transport.retries); }

  /** How often a call that may be repeated is repeated; 3 times unless it is changed. */
  public SseServerClient withRetries(int count) { return with(transport.http, transport.timeout, count); }

  /** For certificates or a proxy of your own. It should speak HTTP/1.1 and follow no redirects. */
  public SseServerClient withHttp(HttpClient client) { return with(client, transport.timeout, transport.retries); }

  private SseServerClient with(HttpClient http, Duration timeout, int retries) {
    return new SseServerClient(new SseServerTransport(http, transport.url, transport.key, timeout, retries), service, encoder);
  }

  /** What makes JSON of a body, such as {@code objectMapper::writeValueAsString}. Without it a body is a String, which is
   * sent as it is, a map, a collection, a number, a boolean or null. */
  public SseServerClient withEncoder(Encoder json) { return new SseServerClient(transport, service, json); }

  public interface Encoder { String encode(Object body) throws Exception; }

  /** The call in another thread: {@code client.async(c -> c.users(Filter.any()))}. At most 16 run, and 10,000 wait: beyond
   * that it throws RejectedExecutionException. An error that nobody asks the future for is lost. */
  public <T> CompletableFuture<T> async(Function<SseServerClient, T> call) {
    return CompletableFuture.supplyAsync(() -> call.apply(this), THREADS);
  }

  /** To the streams that are open now; {@code delivered()} of the result may be 0. */
  public Sent send(Target target, String event, Object body) { return send(target, event, body, Options.none()); }

  public Sent send(Target target, String event, Object body, Options options) {
    Map<String, Object> request = new LinkedHashMap<>(options.fields);
    boolean qos = request.containsKey("qos");
    if (qos) request.putIfAbsent("id", UUID.randomUUID().toString());
    request.putAll(target.request());
    request.put("event", event);
    try {
      request.put("data", body instanceof String ? body : encoder.encode(body));
    } catch (Exception e) {
      throw new IllegalArgumentException("cannot make JSON of the body of '" + event + "': " + e.getMessage(), e);
    }
    return new Sent(transport.call("POST", "send", Map.of(), inBody(request), qos, options.wait));
  }

  /** Throws if a node that may know the user does not answer. */
  public boolean isOnline(Object userId) { return userCount(Filter.any().user(userId)) > 0; }

  /** Empty: the user is offline. */
  public Optional<User> user(Object userId) { return find("user", Map.of("id", text(userId))).map(User::new); }

  public Listing<User> users(Filter filter) { return list("users", filter, User::new); }
  public Listing<String> userIds(Filter filter) { return list("user-ids", filter, String::valueOf); }

  /** Oldest first. */
  public Listing<Connection> connections(Filter filter) { return list("connections", filter, Connection::new); }

  /** Empty: no stream with this id is open. */
  public Optional<Connection> connection(Object id) {
    return find("connections/" + SseServerTransport.encoded(id), Map.of()).map(Connection::new);
  }

  public Listing<Group> channels(Filter filter) { return list("channels", filter, Group::new); }
  public Listing<Group> tenants(Filter filter) { return list("tenants", filter, Group::new); }

  /** Access tokens, masked. */
  public Listing<Group> tokens(Filter filter) { return list("tokens", filter, Group::new); }

  /** Counts throw if a node of the cluster does not answer. */
  public int connectionCount(Filter filter) { return count("connections", filter); }
  public int userCount(Filter filter) { return count("user-ids", filter); }
  public int tokenCount(Filter filter) { return count("tokens", filter); }

  /** Closes streams after a connect-close event, so that their pages do not reconnect. */
  public Changed disconnect(Target target) { return new Changed(post("connections/close", target.request())); }

  /** From what time online the pages of users, tokens or connections go on to count; zero: from none. */
  public Changed setDuration(Target target, Duration online) {
    return new Changed(post("durations", with(target.request(), "duration", online.toSeconds())));
  }

  /** Withdraws what was set: the pages count for themselves. */
  public Changed clearDuration(Target target) { return new Changed(post("durations/clear", target.request())); }

  /** Changes attributes (null removes one) and channels of an open stream. */
  public Connection change(Object connectionId, Map<String, ?> attributes, Collection<String> join, Collection<String> leave) {
    Map<String, Object> request = new LinkedHashMap<>();
    if (!attributes.isEmpty()) request.put("attributes", attributes);
    if (!join.isEmpty()) request.put("join", join);
    if (!leave.isEmpty()) request.put("leave", leave);
    String path = "connections/" + SseServerTransport.encoded(connectionId);
    return new Connection(transport.call("POST", path, inService(Map.of()), request, false, Duration.ZERO));
  }

  /** Messages with qos that are not confirmed yet, a row for each recipient. Filter: one user, tenant, token or channel. */
  public Listing<Message> messages(Filter filter) { return list("messages", filter.ofMessages(), Message::new); }

  /** Deletes a message for all its recipients; false: it was not pending. */
  public boolean deleteMessage(String id) {
    String path = "messages/" + SseServerTransport.encoded(id);
    return orEmpty(() -> transport.call("DELETE", path, Map.of(), null, false, Duration.ZERO)).isPresent();
  }

  // Requests

  private Object post(String path, Map<String, Object> request) {
    return transport.call("POST", path, Map.of(), inBody(request), false, Duration.ZERO);
  }

  private Object get(String path, Map<String, String> query) {
    return transport.call("GET", path, inService(query), null, true, Duration.ZERO);
  }

  private Map<String, Object> inBody(Map<String, Object> request) {
    return service == null ? request : with(request, "service", service);
  }

  private Map<String, String> inService(Map<String, String> query) {
    return service == null ? query : with(query, "service", service);
  }

  private Optional<Object> find(String path, Map<String, String> query) { return orEmpty(() -> get(path, query)); }

  private static Optional<Object> orEmpty(Supplier<Object> call) {
    try {
      return Optional.of(call.get());
    } catch (Failure e) {
      if (e.status() == 404) return Optional.empty();
      throw e;
    }
  }

  private int count(String path, Filter filter) {
    Result page = new Result(get(path, with(filter.fields, "pageSize", "1")));
    if (!page.missing().isEmpty()) throw new Failure(503, "GET " + path + ": cannot count, no answer from " + page.missing());
    return (int) page.number("total");
  }

  // Streams that open and close meanwhile may be left out or be there twice.
  private <T> Listing<T> list(String path, Filter filter, Function<Object, T> row) {
    List<T> rows = new ArrayList<>();
    Set<String> missing = new TreeSet<>();
    for (int number = 1;; ++number) {
      Map<String, String> query = new HashMap<>(filter.fields);
      query.put("pageSize", Integer.toString(PAGE_SIZE));
      query.put("pageNum", Integer.toString(number));
      Result page = new Result(get(path, query));
      missing.addAll(page.missing());
      List<?> list = (List<?>) page.json().get("list");
      list.forEach(one -> rows.add(row.apply(one)));
      if (list.size() < PAGE_SIZE) return new Listing<>(rows, missing);
    }
  }

  private static Executor threads(int most, int waiting) {
    BlockingQueue<Runnable> queue = new ArrayBlockingQueue<>(waiting);
    ThreadPoolExecutor pool = new ThreadPoolExecutor(most, most, 10, TimeUnit.SECONDS, queue, task -> {
      Thread thread = new Thread(task, "sse-server-client");
      thread.setDaemon(true);
      return thread;
    });
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  private static String text(Object id) { return Objects.requireNonNull(id, "an id is null").toString(); }

  private static <V> Map<String, V> with(Map<String, V> fields, String name, V value) {
    Map<String, V> more = new LinkedHashMap<>(fields);
    more.put(name, value);
    return more;
  }

  /** A call that failed: the message says what was asked of which server, and what it answered. */
  public static final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1;
    private final int status;
    Failure(int status, String message) { this(status, message, null); }
    Failure(int status, String message, Throwable cause) { super(message, cause); this.status = status; }
    /** The HTTP status; 0: there was no answer, and the server may have done what was asked. */
    public int status() { return status; }
    /** Whether the same call may succeed later. */
    public boolean isTemporary() { return status == 0 || status == 429 || status == 503 || status == 504; }
  }

  /** Recipients. Ids may be of any type: their toString() is sent. */
  public static final class Target {
    private final Map<String, Object> fields;
    private Target(Map<String, Object> fields) { this.fields = fields; }
    private static Target of(String kind, Collection<?> names) {
      List<Object> texts = new ArrayList<>();
      names.forEach(name -> texts.add(text(name)));
      return new Target(Map.of(kind, texts));
    }
    public static Target users(Object... ids) { return users(Arrays.asList(ids)); }
    public static Target users(Collection<?> ids) { return of("users", ids); }
    public static Target tenants(Object... ids) { return tenants(Arrays.asList(ids)); }
    public static Target tenants(Collection<?> ids) { return of("tenants", ids); }
    public static Target tokens(String... tokens) { return tokens(Arrays.asList(tokens)); }
    public static Target tokens(Collection<String> tokens) { return of("tokens", tokens); }
    public static Target channels(String... names) { return channels(Arrays.asList(names)); }
    public static Target channels(Collection<String> names) { return of("channels", names); }
    public static Target connections(Object... ids) { return connections(Arrays.asList(ids)); }
    public static Target connections(Collection<?> ids) { return of("connections", ids); }
    public static Target all() { return new Target(Map.of("all", true)); }
    /** Only streams that listen to the event. */
    public Target listening() { return new Target(with(fields, "listening", true)); }
    /** Of users and channels: only the users of this tenant. */
    public Target ofTenant(Object id) { return new Target(with(fields, "tenant", text(id))); }
    private Map<String, Object> request() { return Map.of("target", fields); }
  }

  /** How an event is sent. */
  public static final class Options {
    private final Map<String, Object> fields;
    private final Duration wait;
    private Options(Map<String, Object> fields, Duration wait) { this.fields = fields; this.wait = wait; }
    public static Options none() { return new Options(Map.of(), Duration.ZERO); }
    /** At least once: stored for each recipient before send returns, until it is confirmed. */
    public static Options qos() { return new Options(Map.of("qos", true), Duration.ZERO); }
    /** Not to the streams of this clientId or clientInstanceId; without qos. */
    public static Options except(String client) { return new Options(Map.of("except", client), Duration.ZERO); }
    public Options ttl(Duration limit) { return new Options(with(fields, "ttl", limit.toMillis() + "ms"), wait); }
    /** An idempotency key, such as the number of an order: a further send with it sends nothing. */
    public Options id(String key) { return new Options(with(fields, "id", key), wait); }
    /** Replaces the pending message of a recipient that has the same key. */
    public Options collapse(String key) { return new Options(with(fields, "collapse", key), wait); }
    /** With qos: the hook is told of each recipient what became of it: confirmed, expired, dead, deleted or replaced. */
    public Options reported() { return new Options(with(fields, "notify", true), wait); }
    /** send returns when all recipients have confirmed, or after this time. */
    public Options waitFor(Duration limit) { return new Options(with(fields, "wait", limit.toMillis() + "ms"), limit); }
  }

  /** The streams to which all of it applies. */
  public static final class Filter {
    private final Map<String, String> fields;
    private Filter(Map<String, String> fields) { this.fields = fields; }
    public static Filter any() { return new Filter(Map.of()); }
    public Filter user(Object id) { return new Filter(with(fields, "user", text(id))); }
    public Filter tenant(Object id) { return new Filter(with(fields, "tenant", text(id))); }
    public Filter token(String token) { return new Filter(with(fields, "token", token)); }
    public Filter channel(String name) { return new Filter(with(fields, "channel", name)); }
    public Filter listening(String event) { return new Filter(with(fields, "listening", event)); }
    private Filter ofMessages() {
      String kind = String.join(" and ", fields.keySet());
      if (fields.isEmpty()) return this;
      if (Set.of("user", "tenant", "token", "channel").contains(kind)) {
        return new Filter(Map.of("kind", kind, "recipient", fields.get(kind)));
      }
      throw new IllegalArgumentException("pending messages are filtered by one user, tenant, token or channel, not by " + kind);
    }
  }

  /** An object of an answer; {@link #json} has what no method here names. Times are milliseconds since 1970. */
  public static class Result {
    private final Map<String, Object> json;
    @SuppressWarnings("unchecked") Result(Object json) { this.json = (Map<String, Object>) json; }
    public Map<String, Object> json() { return Collections.unmodifiableMap(json); }
    public String text(String name) { return json.get(name) == null ? "" : json.get(name).toString(); }
    public long number(String name) { return json.get(name) instanceof Number ? ((Number) json.get(name)).longValue() : 0; }
    public List<String> texts(String name) {
      List<String> texts = new ArrayList<>();
      if (json.get(name) instanceof List) ((List<?>) json.get(name)).forEach(one -> texts.add(String.valueOf(one)));
      return texts;
    }
    /** Nodes that have not answered, so that their part is not in the result. */
    public List<String> missing() { return texts("missing"); }
    @Override public String toString() { return SseServerTransport.Json.write(json); }
  }

  public static final class Sent extends Result {
    Sent(Object json) { super(json); }
    public String id() { return text("id"); }
    /** Streams that have taken the event. */
    public int delivered() { return (int) number("delivered"); }
    /** Recipients for which it is stored. */
    public int pending() { return (int) number("pending"); }
    /** The id was known, and nothing was sent; also if a repetition of this call found its first try accepted. */
    public boolean repeated() { return Boolean.TRUE.equals(json().get("repeated")); }
    /** kind, name, delivered and, after a wait, state of each. */
    public List<Result> recipients() {
      List<Result> all = new ArrayList<>();
      ((List<?>) json().get("recipients")).forEach(one -> all.add(new Result(one)));
      return all;
    }
  }

  public static final class User extends Result {
    User(Object json) { super(json); }
    public String id() { return text("id"); }
    public String name() { return text("name"); }
    public int connections() { return (int) number("connections"); }
    /** What the authentication knows of the user; null: nothing. */
    public Object profile() { return json().get("user"); }
  }

  public static final class Connection extends Result {
    Connection(Object json) { super(json); }
    public String id() { return text("id"); }
    public String userId() { return text("accessUserId"); }
    public String tenantId() { return text("accessTenantId"); }
    public String node() { return text("serverId"); }
    public List<String> channels() { return texts("channels"); }
    public List<String> listeners() { return texts("listeners"); }
  }

  /** A channel, tenant or token. */
  public static final class Group extends Result {
    Group(Object json) { super(json); }
    public String name() { return text("name"); }
    public int connections() { return (int) number("connections"); }
    public int users() { return (int) number("users"); }
  }

  public static final class Message extends Result {
    Message(Object json) { super(json); }
    public String id() { return text("id"); }
    public String kind() { return text("kind"); }
    public String recipient() { return text("recipient"); }
    public String event() { return text("event"); }
    /** offline, not-listening, waiting or in-flight. */
    public String state() { return text("state"); }
  }

  /** What was done to how many streams, and pending settings of how many recipients that are offline. */
  public static final class Changed extends Result {
    Changed(Object json) { super(json); }
    public int connections() { return (int) (number("closed") + number("connections")); }
    public int pending() { return (int) number("pending"); }
  }

  public static final class Listing<T> extends AbstractList<T> {
    private final List<T> rows;
    private final Set<String> missing;
    Listing(List<T> rows, Set<String> missing) { this.rows = rows; this.missing = missing; }
    @Override public T get(int index) { return rows.get(index); }
    @Override public int size() { return rows.size(); }
    /** Nodes that have not answered, so that their rows are not in the list. */
    public Set<String> missing() { return missing; }
  }
}
