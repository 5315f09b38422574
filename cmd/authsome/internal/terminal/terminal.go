// Package terminal has every way to ask a person on a terminal: a question, a secret,
// a confirmation. It also draws QR codes.
//
// It does not know the commands, and it stores nothing. Its invariant: a secret that
// is typed never appears on the screen, and the terminal is in its former state when
// a question ends, however it ends.
package terminal

import (
	"errors"
	"io"
	"os"

	"golang.org/x/term"
)

// Terminal is where a person types and reads, even if stdout is redirected. It is not
// safe for concurrent use.
type Terminal struct {
	Out   io.Writer // the screen
	Width int       // in columns

	in     *os.File
	typed  []byte // read from the terminal and not used yet
	opened []io.Closer
}

var (
	// ErrInterrupted says that the person pressed Ctrl-C, or that the process was told
	// to end while it asked.
	ErrInterrupted = errors.New("cancelled")
	// ErrEnded says that the input ended, for example with Ctrl-D.
	ErrEnded = errors.New("the input ended")
	// ErrDeclined says that the person did not confirm.
	ErrDeclined = errors.New("cancelled; nothing was changed")
)

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(stream any) bool {
	f, isFile := stream.(*os.File)
	return isFile && term.IsTerminal(int(f.Fd()))
}

// Open returns the terminal that stdin is, or nil if stdin is not a terminal.
// Questions are shown on the controlling terminal, or on stderr without one. The caller
// closes it.
func Open(stdin io.Reader, stderr io.Writer) *Terminal {
	if !IsTerminal(stdin) {
		return nil
	}
	t := &Terminal{in: stdin.(*os.File), Out: stderr, Width: 80}
	if tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
		t.Out, t.opened = tty, append(t.opened, tty)
	}
	t.measure()
	return t
}

// OpenForSecret is [Open] for a passphrase, which a person can type even while stdin
// is redirected: then stderr must be a terminal.
func OpenForSecret(stdin io.Reader, stderr io.Writer) *Terminal {
	if IsTerminal(stdin) || !IsTerminal(stderr) {
		return Open(stdin, stderr)
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	t := &Terminal{in: tty, Out: tty, Width: 80, opened: []io.Closer{tty}}
	t.measure()
	return t
}

func (t *Terminal) measure() {
	if width, _, err := term.GetSize(int(t.in.Fd())); err == nil && width > 0 {
		t.Width = width
	}
}

// Close releases what Open opened. It may be called on nil.
func (t *Terminal) Close() {
	if t == nil {
		return
	}
	for _, c := range t.opened {
		c.Close()
	}
}
