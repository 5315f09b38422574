// Package terminal has every way to ask a person: a question, a secret, a
// confirmation. It also draws QR codes.
//
// It knows no command and stores nothing. Its invariant: a secret that is typed
// never appears on the screen, and the terminal is in its former state when a
// question ends, however it ends.
package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/authsome/authsome/secret"
)

// Terminal is where a person types and reads, wherever stdout goes. It is for one
// goroutine.
type Terminal struct {
	Out   io.Writer // what the person reads
	Width int       // in columns

	in     *os.File
	typed  []byte // read from the terminal and not used yet
	opened []io.Closer
}

var (
	// ErrInterrupted says that the person pressed Ctrl-C.
	ErrInterrupted = errors.New("cancelled")
	// ErrEnded says that the input ended, by Ctrl-D.
	ErrEnded = errors.New("the input ended")
	// ErrDeclined says that the person did not confirm.
	ErrDeclined = errors.New("cancelled; nothing was changed")
)

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(stream any) bool {
	f, isFile := stream.(*os.File)
	return isFile && term.IsTerminal(int(f.Fd()))
}

// Open gives the terminal that stdin is, or nil if it is not one. Questions are
// shown on the controlling terminal, or on stderr if there is none.
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

// OpenForSecret is [Open] for a passphrase, which a person can also type while
// stdin is redirected, as long as stderr is a terminal.
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

// Confirm asks a yes-or-no question. The error is [ErrDeclined] for every answer but
// yes.
func (t *Terminal) Confirm(ctx context.Context, question string) error {
	answer, err := t.Ask(ctx, question+" [y/N] ", false)
	if errors.Is(err, ErrEnded) {
		return ErrDeclined
	}
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return ErrDeclined
}

// Secret asks for a secret, and shows stars while it is typed. An empty one is
// returned as such.
func (t *Terminal) Secret(ctx context.Context, question string) (secret.String, error) {
	typed, err := t.Ask(ctx, question, true)
	return secret.New(typed), err
}

// Ask asks a question and returns the line that is typed. A masked answer shows as
// stars, up to a number that says nothing about its length.
func (t *Terminal) Ask(ctx context.Context, question string, masked bool) (string, error) {
	fd := int(t.in.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", fmt.Errorf("ask on the terminal: %w", err)
	}
	defer term.Restore(fd, before)
	fmt.Fprint(t.Out, question)
	line, err := t.readLine(ctx, masked)
	fmt.Fprint(t.Out, "\r\n")
	return line, err
}

const (
	maxTyped = 64 << 10
	maxStars = 24
)

// Keys in raw mode.
const (
	ctrlC     = 3
	ctrlD     = 4
	backspace = 8
	ctrlU     = 21
	escape    = 0x1b
	del       = 0x7f
)

// readLine reads keys until Enter. The terminal's own line mode ends at 4,095 bytes,
// and pasted addresses can be longer.
func (t *Terminal) readLine(ctx context.Context, masked bool) (string, error) {
	var line []byte
	shown := 0 // runes on the screen
	erase := func(n int) {
		fmt.Fprint(t.Out, strings.Repeat("\b \b", n))
		shown -= n
	}
	for {
		b, err := t.readByte(ctx)
		if err != nil {
			return "", err
		}
		switch {
		case b == '\r' || b == '\n':
			return string(line), nil
		case b == ctrlC:
			return "", ErrInterrupted
		case b == ctrlD && len(line) == 0:
			return "", ErrEnded
		case b == escape:
			if err := t.skipSequence(ctx); err != nil {
				return "", err
			}
		case b == del || b == backspace:
			if len(line) == 0 {
				continue
			}
			_, size := utf8.DecodeLastRune(line)
			line = line[:len(line)-size]
			if utf8.RuneCount(line) < shown {
				erase(1)
			}
		case b == ctrlU:
			line = line[:0]
			erase(shown)
		case len(line) == maxTyped:
			return "", fmt.Errorf("longer than %d bytes", maxTyped)
		default:
			line = append(line, b)
			shown += t.echo(b, masked && shown < maxStars, masked)
		}
	}
}

// echo shows a typed byte and returns the number of characters that it added to the
// screen.
func (t *Terminal) echo(b byte, star, masked bool) int {
	first := utf8.RuneStart(b)
	switch {
	case !masked && b >= ' ':
		t.Out.Write([]byte{b})
	case star && first:
		io.WriteString(t.Out, "*")
	default:
		return 0
	}
	if first {
		return 1
	}
	return 0
}

// skipSequence reads the rest of what an arrow or function key sends.
func (t *Terminal) skipSequence(ctx context.Context) error {
	if len(t.typed) == 0 || t.typed[0] != '[' && t.typed[0] != 'O' {
		return nil // the Escape key
	}
	t.typed = t.typed[1:]
	for {
		b, err := t.readByte(ctx)
		if err != nil || b >= 0x40 && b <= 0x7e {
			return err
		}
	}
}

func (t *Terminal) readByte(ctx context.Context) (byte, error) {
	if len(t.typed) == 0 {
		if err := waitInput(ctx, t.in); err != nil {
			return 0, err
		}
		buffer := make([]byte, 4096)
		n, err := t.in.Read(buffer)
		if n == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				err = ErrEnded
			}
			return 0, err
		}
		t.typed = buffer[:n]
	}
	b := t.typed[0]
	t.typed = t.typed[1:]
	return b, nil
}
