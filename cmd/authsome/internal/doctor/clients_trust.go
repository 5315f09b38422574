package doctor

import (
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/child"
)

// withTrust is the remedy for a client that needs run's option --trust.
func withTrust(runtime, users string) suggest.Suggestion {
	return suggest.ByPerson("start the command with authsome run --trust %s, if it uses %s", runtime, users)
}

// trustChecks are the checks of clients that need --trust, in addition to Java's.
var trustChecks = []clientCheck{
	{name: "http.client", program: "python3", args: []string{"-c", `import http.client
c = http.client.HTTPSConnection("` + intercept.SelfHost + `", timeout=20)
c.request("GET", "/")
print(c.getresponse().read().decode(), end="")`},
		remedy: withTrust(child.Python, "Python's aiohttp, http.client or asyncio, or roots of certifi")},
	// A file, because PHP runs no prepended file for code on its command line.
	{name: "PHP streams", program: "php", args: []string{"-d", "default_socket_timeout=20", "self.php"}, file: "self.php",
		source: `<?php echo file_get_contents("` + selfURL + `");`, remedy: withTrust(child.PHP, "PHP")},
	chromiumCheck("Chromium", "chromium"), chromiumCheck("Chrome", "google-chrome"),
}

// chromiumCheck loads the page in a browser without a window. Its sandbox needs what root
// and containers do not have, and the page needs none.
func chromiumCheck(name, program string) clientCheck {
	return clientCheck{name: name, program: program, args: []string{"--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=profile", "--dump-dom", selfURL},
		answer: strings.TrimSpace(intercept.SelfAnswer), reason: "it does not load the page, most likely because it does not trust the certificate",
		remedy: withTrust(child.Chromium, "a browser")}
}
