// For java_client_test.sh: every method of the Java client, against a real server with real streams.
package test;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import sseserver.SseServerClient;
import sseserver.SseServerClient.*;

public final class JavaClientTest {
  private static final HttpClient HTTP = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private static final int SECONDS = 30;  // that a condition is waited for

  /** A stream as a page opens it, whose events are waited for. */
  private static final class Page implements AutoCloseable {
    final String id;
    private final HttpResponse<InputStream> response;
    private final BlockingQueue<String> events = new LinkedBlockingQueue<>();

    Page(String service, String query) throws Exception {
      HttpRequest request = HttpRequest.newBuilder(URI.create(service + "/connect?" + query)).build();
      response = HTTP.send(request, HttpResponse.BodyHandlers.ofInputStream());
      check("the stream of " + query, 200, response.statusCode());
      Thread reader = new Thread(this::read);
      reader.setDaemon(true);
      reader.start();
      String hello = next("connect-finish");
      id = hello.replaceAll(".*\"connectionId\":\"([0-9]+)\".*", "$1");
    }

    private void read() {
      String event = "";
      try (BufferedReader lines = new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
          if (line.startsWith("event:")) event = line.substring(6);
          if (line.startsWith("data:")) events.add(event + " " + line.substring(5));
        }
      } catch (IOException e) {  // closed
      }
      events.add("end");
    }

    /** The data of the next event, which has this name. */
    String next(String name) throws InterruptedException {
      String event = events.poll(SECONDS, TimeUnit.SECONDS);
      if (event == null || !event.startsWith(name)) throw new AssertionError("expected the event " + name + ", got " + event);
      return event.substring(Math.min(event.length(), name.length() + 1));
    }

    @Override public void close() throws IOException { response.body().close(); }
  }

  private static void check(String what, Object expected, Object got) {
    if (!Objects.equals(expected, got)) throw new AssertionError(what + ": expected " + expected + ", got " + got);
  }

  private interface Condition { boolean holds() throws Exception; }

  private static void await(String what, Condition condition) throws Exception {
    for (long end = System.nanoTime() + SECONDS * 1_000_000_000L; !condition.holds(); Thread.sleep(20)) {
      if (System.nanoTime() > end) throw new AssertionError("waited in vain for " + what);
    }
  }

  private static Failure fails(String what, int status, String sentence, Callable<?> call) throws Exception {
    try {
      throw new AssertionError(what + " did not fail, but returned " + call.call());
    } catch (Failure e) {
      check(what + ": " + e.getMessage(), status, e.status());
      if (!e.getMessage().contains(sentence)) throw new AssertionError(what + " said: " + e.getMessage());
      return e;
    }
  }

  private static void refuses(String what, String sentence, Callable<?> call) throws Exception {
    try {
      throw new AssertionError(what + " was not refused, but returned " + call.call());
    } catch (IllegalArgumentException e) {
      if (!e.getMessage().contains(sentence)) throw new AssertionError(what + " said: " + e.getMessage());
    }
  }

  private static void sends(SseServerClient client, Page ann, Page bob) throws Exception {
    String text = "two\nlines? no: \"quoted\" \\ \u00e4\u4f60\ud83d\ude00";
    Sent sent = client.send(Target.users("ann"), "note", Map.of("text", text, "n", 7, "none", List.of()));
    check("delivered", 1, sent.delivered());
    check("pending", 0, sent.pending());
    check("missing", List.of(), sent.missing());
    check("recipient", "ann", sent.recipients().get(0).text("name"));
    check("recipients", 1L, sent.recipients().get(0).number("delivered"));
    String data = ann.next("note");
    for (String part : List.of("two\\u000alines", "\\\"quoted\\\"", "\"n\":7", "\"none\":[]")) {
      if (!data.contains(part)) throw new AssertionError("no " + part + " in " + data);
    }
    client.send(Target.users(List.of("ann", "bob")), "text", "\u00e4\u4f60\ud83d\ude00");
    for (Page page : List.of(ann, bob)) check("text", "\u00e4\u4f60\ud83d\ude00", page.next("text"));
    check("tenants", 1, client.send(Target.tenants("t1"), "e", null).delivered());
    check("null is JSON", "null", ann.next("e"));
    check("tenants", 1, client.send(Target.tenants(List.of("t1")), "e", true).delivered());
    check("tokens", 1, client.send(Target.tokens("secret-of-ann"), "e", 1.5).delivered());
    check("tokens", 1, client.send(Target.tokens(List.of("secret-of-ann")), "e", List.of(1, "2")).delivered());
    for (String expected : List.of("true", "1.5", "[1,\"2\"]")) check("JSON", expected, ann.next("e"));
    check("channels", 2, client.send(Target.channels("news"), "e", "c").delivered());
    check("channels", 2, client.send(Target.channels(List.of("news")), "e", "c").delivered());
    check("of a tenant", 1, client.send(Target.channels("news").ofTenant("t1"), "t", "").delivered());
    check("all", 2, client.send(Target.all(), "e", "a").delivered());
    check("listening", 1, client.send(Target.all().listening(), "special", "s").delivered());
    check("connections", 1, client.send(Target.connections(bob.id), "e", "b").delivered());
    check("connections", 1, client.send(Target.connections(List.of(bob.id)), "e", "b").delivered());
    check("except", 1, client.send(Target.all(), "x", "", Options.except("browser-of-ann")).delivered());
    check("none", 2, client.send(Target.all(), "n", "", Options.none()).delivered());
    check("async", 2, client.async(c -> c.send(Target.all(), "f", "")).get(SECONDS, TimeUnit.SECONDS).delivered());
    for (String event : List.of("e c", "e c", "t ", "e a", "n ", "f ")) ann.next(event);
    for (String event : List.of("e c", "e c", "e a", "special s", "e b", "e b", "x ", "n ", "f ")) bob.next(event);
    check("nobody", 0, client.send(Target.users(17L), "e", "").delivered());

    Encoder beans = body -> "{\"bean\":\"" + ((Page) body).id + "\"}";
    client.withEncoder(beans).send(Target.users("ann"), "bean", ann);
    check("bean", "{\"bean\":\"" + ann.id + "\"}", ann.next("bean"));
  }

  private static void messages(SseServerClient client, String service) throws Exception {
    Options once = Options.qos().ttl(Duration.ofHours(1)).id("order-17");
    Sent first = client.send(Target.users("carl"), "order", "17", once);
    check("pending", 1, first.pending());
    check("first", false, first.repeated());
    Sent again = client.send(Target.users("carl"), "order", "17", once);
    check("again", true, again.repeated());
    check("again", first.id(), again.id());
    client.send(Target.users("carl"), "state", "old", Options.qos().collapse("state"));
    Sent state = client.send(Target.users("carl"), "state", "new", Options.qos().collapse("state"));
    Listing<Message> pending = client.messages(Filter.any().user("carl"));
    check("messages", 2, pending.size());
    check("of all", 2, client.messages(Filter.any()).size());
    Message message = pending.get(0);
    check("message", List.of(first.id(), "user", "carl", "order", "offline"),
        List.of(message.id(), message.kind(), message.recipient(), message.event(), message.state()));
    check("deleted", true, client.deleteMessage(state.id()));
    Sent reported = client.send(Target.users("dora"), "e", "", Options.qos().reported());
    check("reported", 1, reported.pending());
    check("deleted", true, client.deleteMessage(reported.id()));
    check("deleted twice", false, client.deleteMessage(state.id()));
    Sent waited = client.send(Target.users("dora"), "e", "", Options.qos().waitFor(Duration.ofMillis(1)));
    check("state", "offline", waited.recipients().get(0).text("state"));
    client.deleteMessage(waited.id());
    try (Page carl = new Page(service, "userId=carl")) {
      check("the order", "17", carl.next("order"));
      Sent confirmed = client.send(Target.users("carl"), "e", "", Options.qos().waitFor(Duration.ofSeconds(SECONDS)));
      check("state", "confirmed", confirmed.recipients().get(0).text("state"));
      carl.next("e");
      await("the confirmation", () -> client.messages(Filter.any()).isEmpty());
    }
  }

  private static void queries(SseServerClient client, Page ann, Page bob) throws Exception {
    check("online", true, client.isOnline("ann"));
    check("online", false, client.isOnline(12));
    User user = client.user("ann").orElseThrow();
    check("user", List.of("ann", "Ann A", 1), List.of(user.id(), user.name(), user.connections()));
    check("profile", "ann", ((Map<?, ?>) user.profile()).get("id"));
    check("no user", Optional.empty(), client.user("a/b?c=d&e"));
    check("users", 2, client.users(Filter.any()).size());
    check("users", 0, client.users(Filter.any().user("bob").tenant("t1")).size());
    Listing<String> ids = client.userIds(Filter.any().channel("news").listening("special"));
    check("ids", List.of("bob"), ids);
    check("missing", Set.of(), ids.missing());
    Connection stream = client.connections(Filter.any().token("secret-of-ann")).get(0);
    check("stream", List.of(ann.id, "ann", "t1", "node-1", List.of("news"), List.of()), List.of(stream.id(), stream.userId(),
        stream.tenantId(), stream.node(), stream.channels(), stream.listeners()));
    check("json", "browser-of-ann", stream.json().get("clientId"));
    check("texts", List.of("news"), stream.texts("channels"));
    check("stream", List.of("special"), client.connection(bob.id).orElseThrow().listeners());
    check("no stream", Optional.empty(), client.connection("1"));
    Group news = client.channels(Filter.any()).get(0);
    check("channels", List.of("news", 2, 2), List.of(news.name(), news.connections(), news.users()));
    check("tenants", "t1", client.tenants(Filter.any().user("ann")).get(0).name());
    check("tokens", 1, client.tokens(Filter.any()).size());
    check("counts", List.of(2, 2, 1), List.of(client.connectionCount(Filter.any()), client.userCount(Filter.any()),
        client.tokenCount(Filter.any())));
  }

  private static void changes(SseServerClient client, Page ann, Page bob) throws Exception {
    Connection changed = client.change(bob.id, Map.of("plan", "gold"), List.of("team"), List.of("news"));
    check("channels", List.of("team"), changed.channels());
    check("attribute", "gold", ((Map<?, ?>) changed.json().get("httpParameters")).get("plan"));
    check("duration", 1, client.setDuration(Target.users("ann"), Duration.ofMinutes(2)).connections());
    check("duration", "{\"duration\":\"120\"}", ann.next("sse-set-duration"));
    check("pending", 1, client.setDuration(Target.users("erna"), Duration.ZERO).pending());
    check("cleared", 1, client.clearDuration(Target.users("erna")).pending());
    check("closed", 1, client.disconnect(Target.connections(bob.id)).connections());
    bob.next("connect-close");
    bob.next("end");
    Changed closed = client.async(c -> c.disconnect(Target.users("ann", "bob"))).get(SECONDS, TimeUnit.SECONDS);
    check("closed", 1, closed.connections());
    ann.next("connect-close");
  }

  /** More rows than a page of a list has. */
  private static void longList(SseServerClient client) {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < 1001; ++i) names.add("u" + i);
    Sent sent = client.send(Target.users(names), "many", "", Options.qos());
    check("pending", 1001, sent.pending());
    Set<String> listed = new HashSet<>();
    client.messages(Filter.any()).forEach(message -> listed.add(message.recipient()));
    check("listed", new HashSet<>(names), listed);
    check("deleted", true, client.deleteMessage(sent.id()));
  }

  private static void errors(SseServerClient client, String url, String key) throws Exception {
    Failure refused = fails("a wrong key", 401, "token", () -> new SseServerClient(url, () -> "wrong").users(Filter.any()));
    check("temporary", false, refused.isTemporary());
    refuses("a key of two lines", "admin token", () -> new SseServerClient(url, () -> key + "\n" + key).users(Filter.any()));
    refuses("no address", "http://127.0.0.1:9090", () -> new SseServerClient("localhost", () -> key));
    fails("a line break in an event", 400, "event", () -> client.send(Target.all(), "a\nb", ""));
    fails("users of nobody", 400, "names no user", () -> client.send(Target.users(), "e", ""));
    fails("qos to streams", 400, "qos", () -> client.send(Target.connections("7"), "e", "", Options.qos()));
    fails("an unknown service", 404, "no-such", () -> client.withService("no-such").send(Target.all(), "e", ""));
    refuses("a body that is no JSON", "withEncoder", () -> client.send(Target.all(), "e", new Object()));
    refuses("NaN", "withEncoder", () -> client.send(Target.all(), "e", Double.NaN));
    List<Object> endless = new ArrayList<>();
    endless.add(endless);
    refuses("a list in itself", "levels", () -> client.send(Target.all(), "e", endless));
    refuses("two filters of messages", "one user", () -> client.messages(Filter.any().user("a").tenant("b")));
    try {
      client.async(c -> c.send(Target.users(), "e", "")).get(SECONDS, TimeUnit.SECONDS);
      throw new AssertionError("a future did not fail");
    } catch (ExecutionException e) {
      check("the failure of a future", 400, ((Failure) e.getCause()).status());
    }
    // The port is taken, and nothing listens on it.
    try (Socket taken = new Socket()) {
      taken.bind(new InetSocketAddress("127.0.0.1", 0));
      SseServerClient gone = new SseServerClient("http://127.0.0.1:" + taken.getLocalPort(), () -> key)
          .withRetries(0).withHttp(HTTP);
      check("temporary", true, fails("a server that is gone", 0, "no answer", () -> gone.users(Filter.any())).isTemporary());
    }
    // A server that accepts and says nothing.
    try (ServerSocket mute = new ServerSocket(0)) {
      SseServerClient waits = new SseServerClient("http://127.0.0.1:" + mute.getLocalPort(), () -> key)
          .withTimeout(Duration.ofMillis(50)).withRetries(1);
      fails("a mute server", 0, "timed out", () -> waits.send(Target.all(), "e", "", Options.qos()));
    }
  }

  /** The first try is accepted, and its answer lost: the second stores nothing. */
  private static void repetition(SseServerClient client, String url, String key) throws Exception {
    try (ServerSocket relay = new ServerSocket(0)) {
      URI server = URI.create(url);
      Thread thread = new Thread(() -> {
        for (boolean lose = true;; lose = false) {
          try (Socket in = relay.accept();
              Socket out = new Socket(server.getHost(), server.getPort())) {
            Thread forward = new Thread(() -> {
              try {
                in.getInputStream().transferTo(out.getOutputStream());
              } catch (IOException e) {  // closed
              }
            });
            forward.setDaemon(true);
            forward.start();
            if (lose) {
              if (out.getInputStream().read() < 0) return;  // accepted
            } else {
              out.getInputStream().transferTo(in.getOutputStream());
            }
          } catch (IOException e) {
            return;
          }
        }
      });
      thread.setDaemon(true);
      thread.start();
      SseServerClient flaky = new SseServerClient("http://127.0.0.1:" + relay.getLocalPort() + "/", () -> key)
          .withService("hr");
      Sent sent = flaky.send(Target.users("frida"), "e", "", Options.qos());
      check("repeated", true, sent.repeated());
      check("stored once", 1, client.messages(Filter.any().user("frida")).size());
      check("deleted", true, client.deleteMessage(sent.id()));
    }
  }

  public static void main(String[] arguments) throws Exception {
    String url = arguments[0], pages = arguments[1];
    Path file = Path.of(arguments[2]);
    String key = Files.readString(file);
    SseServerClient client = new SseServerClient(url, () -> key).withService("hr");
    String ofAnn = "userId=ann&name=Ann%20A&tenantId=t1&access-token=secret-of-ann&channel=news&clientId=browser-of-ann";
    try (Page ann = new Page(pages + "/hr-sse", ofAnn);
        Page bob = new Page(pages + "/hr-sse", "userId=bob&channel=news&listeners=special");
        Page other = new Page(pages + "/hunter-sse", "userId=ann")) {
      sends(client, ann, bob);
      queries(client, ann, bob);
      check("another service", 1, client.withService("hunter").send(Target.all(), "e", "").delivered());
      other.next("e");
      messages(client, pages + "/hr-sse");
      changes(client, ann, bob);
    }
    longList(client);
    errors(client, url, key);
    repetition(client, url, key);
    System.out.println("every call was answered as it should be");
  }
}
