package loopback_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/internal/loopback"
)

func TestFindBrowser(t *testing.T) {
	type env map[string]string
	for _, test := range []struct {
		name      string
		goos      string
		env       env
		installed []string
		release   string
		want      string // the command, or "no: " and part of the reason
	}{
		{"desktop", "linux", env{"DISPLAY": ":0"}, []string{"xdg-open"}, "", "xdg-open"},
		{"Wayland", "linux", env{"WAYLAND_DISPLAY": "wayland-0"}, []string{"xdg-open", "gnome-open"}, "", "xdg-open"},
		{"old GNOME", "linux", env{"DISPLAY": ":0"}, []string{"gnome-open"}, "", "gnome-open"},
		{"old KDE", "linux", env{"DISPLAY": ":0"}, []string{"kfmclient"}, "", "kfmclient openURL"},
		{"desktop without xdg-open", "linux", env{"DISPLAY": ":0"}, []string{"w3m", "lynx", "firefox"}, "", "no: xdg-open"},
		{"no display", "linux", nil, []string{"xdg-open", "w3m"}, "", "no: no display"},
		{"BSD", "freebsd", env{"DISPLAY": ":0"}, []string{"xdg-open"}, "", "xdg-open"},
		{"SSH", "linux", env{"SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22"}, []string{"xdg-open"}, "", "no: SSH"},
		{"SSH with a forwarded display", "linux", env{"SSH_TTY": "/dev/pts/1", "DISPLAY": "localhost:10"}, []string{"xdg-open"}, "", "no: SSH"},
		{"SSH and BROWSER", "linux", env{"SSH_TTY": "/dev/pts/1", "BROWSER": "opener"}, []string{"opener"}, "", "opener"},
		{"VS Code remote", "linux", env{"SSH_CONNECTION": "x", "VSCODE_IPC_HOOK_CLI": "/run/x.sock", "BROWSER": "/vscode/browser.sh"}, []string{"/vscode/browser.sh"}, "", "/vscode/browser.sh"},
		{"VS Code remote without BROWSER", "linux", env{"SSH_CONNECTION": "x", "VSCODE_IPC_HOOK_CLI": "/run/x.sock"}, []string{"code"}, "", "code --openExternal %s"},
		{"VS Code tunnel without code command", "linux", env{"SSH_CONNECTION": "x", "VSCODE_IPC_HOOK_CLI": "/run/x.sock"}, nil, "", "no: SSH"},
		{"dev container", "linux", env{"VSCODE_IPC_HOOK_CLI": "/run/x.sock"}, []string{"code"}, "", "code --openExternal %s"},
		{"WSL", "linux", env{"WSL_DISTRO_NAME": "Debian"}, []string{"wslview", "xdg-open"}, "", "wslview"},
		{"WSL without wslu", "linux", env{"WSL_INTEROP": "/run/WSL/1"}, []string{"rundll32.exe"}, "", "rundll32.exe url.dll,FileProtocolHandler"},
		{"WSL by kernel release", "linux", nil, []string{"wslview"}, "6.6.87-Microsoft-standard-WSL2", "wslview"},
		{"WSL without interop", "linux", env{"WSL_DISTRO_NAME": "Debian"}, nil, "", "no: Windows"},
		{"WSL over SSH", "linux", env{"WSL_DISTRO_NAME": "Debian", "SSH_CONNECTION": "x"}, []string{"wslview"}, "", "no: SSH"},
		{"macOS", "darwin", nil, nil, "", "/usr/bin/open %s"},
		{"macOS over SSH", "darwin", env{"SSH_CONNECTION": "x"}, nil, "", "no: SSH"},
		{"Windows", "windows", nil, nil, "", "rundll32 url.dll,FileProtocolHandler %s"},
		{"BROWSER with arguments", "linux", env{"BROWSER": "firefox --new-window %s"}, []string{"firefox"}, "", "firefox --new-window %s"},
		{"BROWSER overrides the display", "linux", env{"BROWSER": "w3m", "DISPLAY": ":0"}, []string{"w3m", "xdg-open"}, "", "w3m"},
		{"BROWSER is a list", "linux", env{"BROWSER": "gone:firefox:w3m"}, []string{"firefox", "w3m"}, "", "firefox"},
		{"BROWSER is a path with a space", "linux", env{"BROWSER": "/opt/My Browser"}, []string{"/opt/My Browser"}, "", "/opt/My Browser"},
		{"BROWSER is a Windows path", "windows", env{"BROWSER": `C:\b.exe`}, []string{`C:\b.exe`}, "", `C:\b.exe`},
		{"BROWSER is not installed", "linux", env{"BROWSER": "gone", "DISPLAY": ":0"}, []string{"xdg-open"}, "", "no: BROWSER"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := loopback.FindBrowser(loopback.Environment{GOOS: test.goos, Release: test.release,
				Getenv: func(name string) string { return test.env[name] },
				LookPath: func(name string) (string, error) {
					if slices.Contains(test.installed, name) {
						return name, nil
					}
					return "", exec.ErrNotFound
				}})
			if reason, no := strings.CutPrefix(test.want, "no: "); no {
				if !errors.Is(err, loopback.ErrNoBrowser) || !strings.Contains(err.Error(), reason) {
					t.Errorf("%v, error %v", b, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(b.Args(), " "); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// The command gets the URL as one argument, without a shell.
func TestOpenRunsTheCommand(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "opener")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nprintf '%s|' \"$@\" >"+dir+"/args\necho noise\necho noise >&2\n[ \"$1\" != fail ]\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	find := func(value string) *loopback.Browser {
		t.Helper()
		b, err := loopback.FindBrowser(loopback.Environment{GOOS: "linux", LookPath: exec.LookPath, Getenv: func(name string) string {
			if name == "BROWSER" {
				return value
			}
			return ""
		}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const address = "http://127.0.0.1:1/a?b=$(id)&c=%20;ls"
	for value, want := range map[string]string{
		script:                         address + "|",
		script + " --tab %s --last":    "--tab|" + address + "|--last|",
		script + " --url=%s":           "--url=" + address + "|",
		"/nowhere/x:" + script + " -n": "-n|" + address + "|",
	} {
		ended, err := find(value).Open(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "args")); string(got) != want {
			t.Errorf("%s got %q, want %q; %v", value, got, want, err)
		}
	}
	ended, err := find(script+" fail").Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if <-ended == nil {
		t.Error("no error from a failing command")
	}
	for _, bad := range []string{"file:///etc/passwd", "javascript:alert(1)", "https:", "--help", "", "http://a\n.test"} {
		if _, err := find(script).Open(t.Context(), bad); err == nil {
			t.Errorf("%q was opened", bad)
		}
	}
}
