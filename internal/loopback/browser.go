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

// Environment is what decides whether a page can be shown to the user here, and
// how.
type Environment struct {
	GOOS     string
	Getenv   func(string) string
	LookPath func(string) (string, error) // of [exec.LookPath]
	Release  string                       // of the kernel, which tells WSL from Linux; may be empty
}

// ErrNoBrowser says that no page can be shown to the user here.
var ErrNoBrowser = errors.New("no browser can be shown here")

// Browser is a command that shows a page to the user.
type Browser struct {
	args []string // %s stands for the URL; without one it comes last
}

// FindBrowser gives the command that shows a page, or an error, which is
// [ErrNoBrowser] with the reason.
//
// BROWSER is always obeyed: it is the user's word, and the way in which VS Code
// and others reach the screen from a machine without one. Otherwise an SSH session
// has no browser of its own, even where a display is set: its user sits elsewhere,
// and could not reach a server on this machine's loopback.
func FindBrowser(e Environment) (*Browser, error) {
	if value := e.Getenv("BROWSER"); value != "" {
		return e.chosen(value)
	}
	// VS Code runs its terminals on another machine or in a container, and has this
	// socket there to reach the editor. It forwards loopback ports, too.
	if e.Getenv("VSCODE_IPC_HOOK_CLI") != "" {
		if path, err := e.LookPath("code"); err == nil {
			return &Browser{[]string{path, "--openExternal", "%s"}}, nil
		}
	}
	for _, name := range []string{"SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"} {
		if e.Getenv(name) != "" {
			return nil, fmt.Errorf("%w: this is an SSH session", ErrNoBrowser)
		}
	}
	switch e.GOOS {
	case "darwin":
		return &Browser{[]string{"/usr/bin/open", "%s"}}, nil
	case "windows":
		return &Browser{[]string{"rundll32", "url.dll,FileProtocolHandler", "%s"}}, nil
	}
	if e.wsl() {
		return e.first("Windows is not reachable from WSL", []string{"wslview"},
			[]string{"rundll32.exe", "url.dll,FileProtocolHandler"}, []string{"/mnt/c/Windows/System32/rundll32.exe", "url.dll,FileProtocolHandler"})
	}
	if e.Getenv("DISPLAY") == "" && e.Getenv("WAYLAND_DISPLAY") == "" {
		return nil, fmt.Errorf("%w: there is no display", ErrNoBrowser)
	}
	return e.first("xdg-open is not installed", []string{"xdg-open"}, []string{"gnome-open"}, []string{"kfmclient", "openURL"})
}

func (e Environment) wsl() bool {
	return e.Getenv("WSL_DISTRO_NAME") != "" || e.Getenv("WSL_INTEROP") != "" || strings.Contains(strings.ToLower(e.Release), "microsoft")
}

func (e Environment) first(otherwise string, commands ...[]string) (*Browser, error) {
	for _, command := range commands {
		if path, err := e.LookPath(command[0]); err == nil {
			return &Browser{append([]string{path}, command[1:]...)}, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrNoBrowser, otherwise)
}

// chosen reads BROWSER: a command, or several of them with colons between, of
// which the first that exists is meant. It is split at white space and given to
// no shell.
func (e Environment) chosen(value string) (*Browser, error) {
	candidates := []string{value}
	if e.GOOS != "windows" {
		candidates = append(candidates, strings.Split(value, ":")...)
	}
	for _, candidate := range candidates {
		if path, err := e.LookPath(strings.TrimSpace(candidate)); err == nil { // a path may have spaces
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
	return nil, fmt.Errorf("%w: BROWSER names no program that is installed", ErrNoBrowser)
}

// Open shows a page. It returns when the command has been started; the channel
// gets what came of it, which for some browsers is when the user closes them. The
// command has neither our terminal nor our output, so that it can write nothing
// between the lines of a program that was asked for JSON, and outlives us.
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
	// This goroutine is the one that nobody waits for: it ends with the browser.
	go func() {
		if err := cmd.Wait(); err != nil {
			ended <- fmt.Errorf("open the browser: %w", err)
			return
		}
		ended <- nil
	}()
	return ended, nil
}
