package loopback

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
)

// Environment is what [FindBrowser] decides by.
type Environment struct {
	GOOS     string
	Getenv   func(string) string
	LookPath func(string) (string, error) // as [exec.LookPath]
	Release  string                       // of the kernel, which distinguishes WSL from Linux; may be empty
}

// errNoBrowser is wrapped by the errors of [FindBrowser], with the reason.
var errNoBrowser = errors.New("no browser available")

// Browser is the command that opens a URL in the user's browser.
type Browser struct {
	args []string // %s is replaced by the URL; without it, the URL is appended
}

// FindBrowser returns the command that opens a browser, or an error with the
// reason why a browser cannot be opened.
//
// BROWSER takes effect even over SSH: the user chose it, and tools such as VS Code
// set it to reach the user's screen from another machine. Otherwise an SSH session
// has no browser, even with a display: the user sits at another machine, where a
// browser could not reach this machine's loopback address.
func FindBrowser(e Environment) (*Browser, error) {
	if value := e.Getenv("BROWSER"); value != "" {
		return e.fromVariable(value)
	}
	// VS Code runs its terminals on another machine or in a container. This socket
	// reaches the editor, which also forwards loopback ports.
	if e.Getenv("VSCODE_IPC_HOOK_CLI") != "" {
		if path, err := e.LookPath("code"); err == nil {
			return &Browser{[]string{path, "--openExternal", "%s"}}, nil
		}
	}
	for _, name := range []string{"SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"} {
		if e.Getenv(name) != "" {
			return nil, fmt.Errorf("%w: this is an SSH session", errNoBrowser)
		}
	}
	switch e.GOOS {
	case "darwin":
		return &Browser{[]string{"/usr/bin/open", "%s"}}, nil
	case "windows":
		return &Browser{[]string{"rundll32", "url.dll,FileProtocolHandler", "%s"}}, nil
	}
	if e.isWSL() {
		return e.firstInstalled("Windows is not reachable from WSL", []string{"wslview"},
			[]string{"rundll32.exe", "url.dll,FileProtocolHandler"}, []string{"/mnt/c/Windows/System32/rundll32.exe", "url.dll,FileProtocolHandler"})
	}
	if e.Getenv("DISPLAY") == "" && e.Getenv("WAYLAND_DISPLAY") == "" {
		return nil, fmt.Errorf("%w: no display (DISPLAY and WAYLAND_DISPLAY are not set)", errNoBrowser)
	}
	return e.firstInstalled("xdg-open is not installed", []string{"xdg-open"}, []string{"gnome-open"}, []string{"kfmclient", "openURL"})
}

func (e Environment) isWSL() bool {
	return e.Getenv("WSL_DISTRO_NAME") != "" || e.Getenv("WSL_INTEROP") != "" || strings.Contains(strings.ToLower(e.Release), "microsoft")
}

// firstInstalled returns the first of the commands that is installed, or an error
// with the given reason.
func (e Environment) firstInstalled(reason string, commands ...[]string) (*Browser, error) {
	for _, command := range commands {
		if path, err := e.LookPath(command[0]); err == nil {
			return &Browser{append([]string{path}, command[1:]...)}, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", errNoBrowser, reason)
}

// fromVariable reads the value of BROWSER: a command, or several separated by
// colons, of which the first that is installed is used. A command is split at
// white space; no shell is involved.
func (e Environment) fromVariable(value string) (*Browser, error) {
	candidates := []string{value}
	if e.GOOS != "windows" {
		candidates = append(candidates, strings.Split(value, ":")...)
	}
	for _, candidate := range candidates {
		if path, err := e.LookPath(strings.TrimSpace(candidate)); err == nil { // a path may contain spaces
			return &Browser{[]string{path}}, nil
		}
		args := strings.Fields(candidate)
		if len(args) == 0 {
			continue
		}
		if path, err := e.LookPath(args[0]); err == nil {
			return &Browser{append([]string{path}, args[1:]...)}, nil
		}
	}
	return nil, fmt.Errorf("%w: BROWSER does not name an installed program", errNoBrowser)
}

// Open starts the command for an http or https URL. When the command has ended, the
// channel receives its error or nil; some commands end only when the user closes
// the browser. The command outlives this process, and gets neither its terminal
// nor its output: otherwise it could write into the output of authsome --json.
func (b *Browser) Open(ctx context.Context, address string) (<-chan error, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("open the browser: not a web address")
	}
	args, placed := make([]string, 0, len(b.args)+1), false
	for i, arg := range b.args {
		if i > 0 && strings.Contains(arg, "%s") {
			arg, placed = strings.ReplaceAll(arg, "%s", u.String()), true
		}
		args = append(args, arg)
	}
	if !placed {
		args = append(args, u.String())
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = os.Environ()
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("open the browser: %w", err)
	}
	ended := make(chan error, 1)
	// Nothing waits for this goroutine, on purpose: the browser may stay open for
	// hours after the login, and the program must be able to exit before it closes.
	// The goroutine only calls Wait and sends to a buffered channel, so it ends when
	// the command does.
	go func() {
		if err := cmd.Wait(); err != nil {
			ended <- fmt.Errorf("open the browser: %w", err)
			return
		}
		ended <- nil
	}()
	return ended, nil
}
