package child

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/authsome/authsome/internal/regular"
)

// Client is a kind of program of which some or all requests do not reach the proxy with
// the variables that every command gets.
type Client struct {
	Name    string // as people call it
	Runtime string // what --trust must name, or "" if nothing helps
	Reason  string // what it does, as the end of a sentence that begins with its name

	programs []string // without versions
}

// clients were found with the matrix of clients in e2e.
var clients = []Client{
	{Name: "Java", Runtime: Java, Reason: "ignores proxy variables", programs: []string{"java", "javaw", "jshell", "mvn", "mvnw", "gradle", "gradlew", "kotlin", "scala", "sbt", "clojure", "lein", "groovy", "ant", "jbang"}},
	{Name: "PHP", Runtime: PHP, Reason: "has its own certificates, and its streams ignore proxy variables", programs: []string{"php", "composer", "phpunit", "artisan", "wp", "drush"}},
	{Name: "Python", Runtime: Python, Reason: "has clients that ignore proxy variables (aiohttp, http.client, bare urllib3) or have their own certificates", programs: []string{"python", "pypy", "ipython", "jupyter", "pytest", "uvicorn", "gunicorn"}},
	{Name: "Chromium", Runtime: Chromium, Reason: "has its own certificates", programs: []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "chrome-headless-shell", "brave-browser", "microsoft-edge"}},
	{Name: "Erlang", Reason: "ignores proxy variables", programs: []string{"erl", "escript", "elixir", "iex", "mix"}},
	{Name: "Firefox", Reason: "has its own certificates", programs: []string{"firefox", "firefox-esr"}},
	{Name: "aria2", Reason: "has its own certificates; use --ca-certificate $SSL_CERT_FILE", programs: []string{"aria2c"}},
}

var versionEnd = regexp.MustCompile(`[0-9.]+$`)

// clientOf returns the kind of client that a program is by its name.
func clientOf(program string) (Client, bool) {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(program)), ".exe")
	for _, c := range clients {
		if slices.Contains(c.programs, name) || slices.Contains(c.programs, versionEnd.ReplaceAllString(name, "")) {
			return c, true
		}
	}
	return Client{}, false
}

// shells run the commands in their option -c.
var shells = []string{"sh", "bash", "dash", "zsh", "ksh", "fish"}

// ClientOf returns the kind of client that a command is: by its name, the names that it
// links to, or the interpreter of its script. Of a shell's option -c, the words count.
func ClientOf(command []string) (Client, bool) {
	if len(command) == 0 {
		return Client{}, false
	}
	if slices.Contains(shells, filepath.Base(command[0])) {
		if i := slices.Index(command, "-c"); i > 0 && i+1 < len(command) {
			for _, word := range strings.FieldsFunc(command[i+1], func(r rune) bool { return strings.ContainsRune(" \t\n;|&()'\"`", r) }) {
				if c, ok := clientOf(word); ok {
					return c, true
				}
			}
		}
		return Client{}, false
	}
	if c, ok := clientOf(command[0]); ok {
		return c, true
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return Client{}, false
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if c, ok := clientOf(path); ok {
		return c, true
	}
	return clientOf(interpreter(path))
}

// interpreter returns the program that runs a script, or "".
func interpreter(script string) string {
	file, err := regular.Open(script)
	if err != nil {
		return ""
	}
	defer file.Close()
	line, _ := bufio.NewReaderSize(file, 256).ReadSlice('\n')
	text, isScript := strings.CutPrefix(string(line), "#!")
	words := strings.Fields(text)
	if !isScript || len(words) == 0 {
		return ""
	}
	if filepath.Base(words[0]) != "env" {
		return words[0]
	}
	for _, word := range words[1:] {
		if !strings.HasPrefix(word, "-") && !strings.Contains(word, "=") {
			return word
		}
	}
	return ""
}

// Installed returns the kinds of clients on this machine for which --trust would have to
// name a runtime that is not in trusted.
func Installed(trusted []string) []Client {
	var found []Client
	for _, c := range clients {
		isInstalled := func(program string) bool { _, err := exec.LookPath(program); return err == nil }
		if c.Runtime != "" && !Trusts(trusted, c.Runtime) && (slices.ContainsFunc(c.programs, isInstalled) || c.Runtime == Python && isInstalled("python3")) {
			found = append(found, c)
		}
	}
	return found
}

// Trusts reports whether the names for --trust include a runtime.
func Trusts(names []string, runtime string) bool {
	return runtime != "" && (slices.Contains(names, runtime) || slices.Contains(names, AllRuntimes))
}
