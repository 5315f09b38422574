package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

var terminalScene = scene{arrange: arrangeTerminals, late: openLater, attacks: []attack{
	{name: "type into the terminal", do: func(*yard) error { return typeInto(unix.TIOCSTI) }},
	{name: "type into the terminal with high bits", do: func(*yard) error { return typeInto(1<<32 | unix.TIOCSTI) }},
	{name: "type into the terminal in a nested namespace", nested: mounts, do: func(*yard) error { return typeInto(unix.TIOCSTI) }},
	{name: "paste on the console", do: func(*yard) error { return typeInto(0x541c) }}, // TIOCLINUX
	{name: "read from another terminal", do: func(y *yard) error { return readTerminal(y.Paths["other"]) }},
	{name: "write to another terminal", do: func(y *yard) error { return openTerminal(y.Paths["other"]) }},
	{name: "read from a terminal that was opened later", do: func(y *yard) error { return readTerminal(y.Paths["later"]) }},
	{name: "read from it by another path", do: func(y *yard) error {
		return readTerminal(filepath.Join(y.Paths["alias"], filepath.Base(y.Paths["later"])))
	}},
	{name: "read from the console", only: root, do: func(*yard) error { return openTerminal("/dev/tty1") }},
	{name: "use the terminal", open: true, do: func(*yard) error {
		f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
		return err
	}},
	{name: "find the name of the terminal", open: true, do: nameTerminal},
	{name: "make a terminal", open: true, do: func(*yard) error {
		_, slave, err := newTerminal()
		return errors.Join(err, openTerminal(slave))
	}},
}}

// typeInto puts a character into the input of the terminal. The kernel may refuse it with
// another error than the fence: pushing characters can be switched off.
func typeInto(request uintptr) error {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	character := byte('\n')
	if err := number(unix.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(&character))); errors.Is(err, unix.EPERM) {
		return err
	}
	return nil
}

// openTerminal opens a terminal for writing, which only a cover could allow otherwise.
func openTerminal(path string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.IoctlGetTermios(fd, unix.TCGETS)
	return err
}

// nameTerminal runs a program that looks for the name of its standard input.
func nameTerminal(y *yard) error {
	cmd := exec.Command("tty")
	cmd.Stdin = os.NewFile(uintptr(y.fd("terminal")), "terminal")
	name, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%w: %s", err, name)
	}
	return openTerminal(strings.TrimSpace(string(name)))
}

func readTerminal(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	b := make([]byte, 100)
	n, err := unix.Read(fd, b)
	if err == nil && !strings.Contains(string(b[:n]), "typed") {
		return fmt.Errorf("read %q", b[:n])
	}
	return err
}

// newTerminal returns the master of a new terminal, and the name of the terminal.
func newTerminal() (master *os.File, name string, err error) {
	if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return nil, "", err
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil, "", err
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	return master, fmt.Sprintf("/dev/pts/%d", n), err
}

// typedTerminal makes another terminal of the user, in which something was typed.
func (k *yardkeeper) typedTerminal(name string) {
	master, path, err := newTerminal()
	check(err)
	check(os.Chown(path, k.UID, k.UID))
	slave, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0) // otherwise what is typed is lost
	check(err)
	_, err = master.WriteString(strings.Repeat("typed\n", 20))
	check(err)
	k.Paths[name] = path
	k.end = append(k.end, func() { master.Close(); slave.Close() })
}

// arrangeTerminals gives the command a controlling terminal.
func arrangeTerminals(k *yardkeeper) {
	master, path, err := newTerminal()
	check(err)
	check(os.Chown(path, k.UID, k.UID))
	k.end = append(k.end, func() { master.Close() })
	k.inherit("terminal", path, unix.O_RDWR|unix.O_NOCTTY)
	k.terminal = true
	k.typedTerminal("other")
	k.Paths["alias"] = filepath.Join(k.spec.Dir, "pts")
	check(os.Mkdir(k.Paths["alias"], 0o755))
	check(unix.Mount("/dev/pts", k.Paths["alias"], "", unix.MS_BIND, ""))
}

func openLater(k *yardkeeper) { k.typedTerminal("later") }
