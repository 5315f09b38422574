// Write makes a golden home with a given authsome binary; see ../README.md.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// contents is what a home holds. It is written next to the home as written.json,
// so that a reader knows what to expect even when later writers write more.
type contents struct {
	Profiles    []string     `json:"profiles"`
	Connections []connection `json:"connections"`
	Custom      []string     `json:"custom"` // registered providers
}

type connection struct {
	Profile  string            `json:"profile"`
	Provider string            `json:"provider"`
	Name     string            `json:"name"`
	Default  bool              `json:"default"`
	Values   map[string]string `json:"values"` // secrets, by the names that get prints
}

var golden = contents{
	Profiles: []string{"default", "work"},
	Connections: []connection{
		{Profile: "default", Provider: "golden", Name: "default", Default: true, Values: map[string]string{
			"access_token": "golden-access-1f0c2a", "refresh_token": "golden-refresh-9b7d4e"}},
		{Profile: "default", Provider: "openai", Name: "default", Default: true, Values: map[string]string{"api_key": "sk-golden-0123456789abcdef"}},
		{Profile: "default", Provider: "resend", Name: "default", Values: map[string]string{"api_key": "re_golden_first_0123456789"}},
		{Profile: "default", Provider: "resend", Name: "second", Default: true, Values: map[string]string{"api_key": "re_golden_second_0123456789"}},
		{Profile: "work", Provider: "openai", Name: "default", Default: true, Values: map[string]string{"api_key": "sk-golden-work-0123456789abcdef"}},
	},
	Custom: []string{"golden"},
}

// definition is the custom provider. SERVER is the authorization server.
const definition = `{"schema_version":2,"name":"golden","display_name":"Golden","flows":["device_code"],"hosts":["api.golden.test"],
	"oauth":{"authorization_url":"SERVER/authorize","token_url":"SERVER/token","device_authorization_url":"SERVER/device","token_auth":"none"}}`

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: write BINARY DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "write: error:", err)
		os.Exit(1)
	}
}

// write makes dir with the directory home and the file written.json in it.
func write(binary, dir string) error {
	home, err := filepath.Abs(filepath.Join(dir, "home"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if _, err := os.Stat(home); err == nil {
		return errors.New(home + " exists")
	}
	w := &writer{binary: binary, home: home}
	w.writeHome()
	if err := errors.Join(w.err, prune(home)); err != nil {
		return err
	}
	text, err := json.MarshalIndent(golden, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "written.json"), append(text, '\n'), 0o644)
}

// writer runs a binary until a command fails.
type writer struct {
	binary, home string
	err          error
}

func (w *writer) authsome(stdin string, args ...string) {
	if w.err != nil {
		return
	}
	cmd := exec.Command(w.binary, args...)
	cmd.Env = []string{"AUTHSOME_HOME=" + w.home, "HOME=" + w.home, "PATH=" + os.Getenv("PATH")}
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.err = fmt.Errorf("authsome %s: %w\n%s", strings.Join(args, " "), err, out)
	}
}

func (w *writer) writeHome() {
	server := httptest.NewServer(http.HandlerFunc(authorize))
	defer server.Close()
	w.authsome("", "init")
	w.authsome("", "profile", "create", "work")
	w.authsome(strings.ReplaceAll(definition, "SERVER", server.URL), "register", "-", "--yes")
	for _, c := range golden.Connections {
		login := []string{"--profile", c.Profile, "login", c.Provider, "--connection", c.Name, "--no-verify"}
		if key, ok := c.Values["api_key"]; ok {
			w.authsome(key, append(login, "--key-stdin")...)
		} else {
			w.authsome("", append(login, "--client-id", "golden-client", "--no-browser")...)
		}
	}
	for _, c := range golden.Connections {
		if c.Default && c.Name != "default" {
			w.authsome("", "--profile", c.Profile, "default", c.Provider, c.Name)
		}
	}
	w.authsome("", "ca", "show") // stores an authority
}

// authorize is an authorization server with the device flow (RFC 8628) whose user
// has approved. The lifetime of the token is the longest that authsome accepts, so
// that the token does not expire while a home is kept.
func authorize(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/device" {
		fmt.Fprintf(w, `{"device_code":"golden-device","user_code":"GOLD-EN","verification_uri":"http://%s/enter","expires_in":60,"interval":0.01}`, r.Host)
		return
	}
	for _, c := range golden.Connections {
		if c.Provider == "golden" {
			fmt.Fprintf(w, `{"access_token":%q,"refresh_token":%q,"token_type":"Bearer","expires_in":3153600000}`, c.Values["access_token"], c.Values["refresh_token"])
		}
	}
}

// prune deletes what holds no state: locks, and the log.
func prune(home string) error {
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (strings.HasSuffix(path, ".lock") || strings.HasSuffix(path, ".lock.turn")) {
			return os.Remove(path)
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(filepath.Join(home, "logs")))
}
