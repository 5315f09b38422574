package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const javaClient = `
import java.net.*; import java.net.http.*;
class Client { public static void main(String[] a) throws Exception {
  for (String host : new String[] {"api.upstream.test", "other.upstream.test"}) {
    var request = HttpRequest.newBuilder(URI.create("https://" + host + "/x")).header("Authorization", "Bearer " + System.getenv("UPSTREAM_API_KEY")).build();
    System.out.println(host + " " + HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
  }
  System.out.println("old " + ((HttpURLConnection) new URL("https://api.upstream.test/x").openConnection()).getResponseCode());
} }
`

const phpClient = `
foreach (["api.upstream.test", "other.upstream.test"] as $host) {
  $c = curl_init("https://$host/x");
  curl_setopt_array($c, [CURLOPT_RETURNTRANSFER => true, CURLOPT_HTTPHEADER => ["Authorization: Bearer " . getenv("UPSTREAM_API_KEY")]]);
  if (curl_exec($c) === false) { fwrite(STDERR, curl_error($c) . "\n"); exit(1); }
  echo $host, " ", curl_getinfo($c, CURLINFO_RESPONSE_CODE), "\n";
}
`

// TestTrust runs programs of runtimes that need --trust in addition to the usual
// variables. They connect to an intercepted host and to one that is passed through.
func TestTrust(t *testing.T) {
	for _, tt := range []struct {
		runtime   string
		argv      func(*testing.T, *rig) []string
		requests  int    // with the credential
		untrusted string // what the program prints without --trust; "" skips this check
	}{
		{"java", func(t *testing.T, r *rig) []string {
			file := filepath.Join(r.tmp, "Client.java")
			if err := os.WriteFile(file, []byte(javaClient), 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{need(t, "java"), file}
		}, 2, "UnresolvedAddressException"},
		{"php", func(t *testing.T, _ *rig) []string { return []string{need(t, "php"), "-r", phpClient} }, 1, ""},
	} {
		t.Run(tt.runtime, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			argv := tt.argv(t, r)
			out := r.run(nil, append([]string{"--trust=" + tt.runtime}, argv...)...)
			if !strings.Contains(out, "api.upstream.test 200") || !strings.Contains(out, "other.upstream.test") {
				t.Errorf("the program printed %s", out)
			}
			authorized := 0
			for _, a := range r.arrivals() {
				if a.Authorized && a.Host == routeHost {
					authorized++
				}
			}
			if authorized != tt.requests {
				t.Errorf("%d requests had the credential, want %d", authorized, tt.requests)
			}
			if tt.untrusted != "" {
				// The control: without --trust the program fails.
				if out, err := r.command(nil, argv...).CombinedOutput(); err == nil || !strings.Contains(string(out), tt.untrusted) {
					t.Errorf("without --trust: %v %s", err, out)
				}
			}
		})
	}
}
