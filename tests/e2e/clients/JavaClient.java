import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;

/** Java's two clients, whose sockets are dual-stack: `NAME URL`, a line for each of three answers. */
public class JavaClient {
    private static final String MARKER = "x-ms-azure-host-authorization";
    /** The listener on port 3080 as an IPv4-mapped peer in /proc/net/tcp6. */
    private static final String MAPPED_LISTENER = "0000000000000000FFFF00000100007F:0C08";

    public static void main(String[] args) throws Exception {
        URI target = URI.create(args[1]);
        HttpClient client = args[0].equals("HttpClient/1.1")
            ? HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()
            : HttpClient.newHttpClient();
        for (int i = 0; i < 3; i++) {
            if (args[0].startsWith("HttpClient")) {
                askHttpClient(client, target);
            } else {
                askUrlConnection(target);
            }
        }
        // Both keep their connection, so it can still be seen.
        String sockets = Files.readString(Path.of("/proc/self/net/tcp6"));
        System.out.println("mapped " + sockets.contains(MAPPED_LISTENER));
    }

    private static void askHttpClient(HttpClient client, URI target) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(target).header("Metadata", "true").build();
        HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
        say(answer.statusCode(), answer.headers().firstValue(MARKER).orElse("none"));
    }

    private static void askUrlConnection(URI target) throws Exception {
        HttpURLConnection connection = (HttpURLConnection) target.toURL().openConnection();
        connection.setRequestProperty("Metadata", "true");
        int status = connection.getResponseCode();
        say(status, connection.getHeaderField(MARKER));
        try (InputStream body = connection.getInputStream()) {
            body.readAllBytes();
        }
    }

    private static void say(int status, String marker) {
        System.out.println(status + " " + marker);
    }
}
