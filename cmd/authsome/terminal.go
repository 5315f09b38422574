package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// terminal is where a person types and reads, wherever the output goes.
type terminal struct {
	in     *os.File
	out    io.Writer
	width  int
	typed  []byte // ahead of the question
	closer io.Closer
}

var (
	errInterrupted = errors.New("interrupted")
	errEnded       = errors.New("the input ended")
)

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, isFile := stream.(*os.File)
	return isFile && term.IsTerminal(int(f.Fd()))
}

// openTerminal gives the terminal that stdin is, or nil.
func (a *app) openTerminal() *terminal {
	f, isFile := a.stdin.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	t := &terminal{in: f, out: a.stderr, width: 80}
	if tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
		t.out, t.closer = tty, tty
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		t.width = width
	}
	return t
}

func (t *terminal) close() {
	if t != nil && t.closer != nil {
		t.closer.Close()
	}
}

// ask puts a question and returns what is typed up to the end of the line. What
// is masked shows as stars, up to a number that says nothing. The terminal is
// put back into its state however the question ends.
func (t *terminal) ask(ctx context.Context, question string, masked bool) (string, error) {
	fd := int(t.in.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", fmt.Errorf("ask on the terminal: %w", err)
	}
	defer term.Restore(fd, before)
	fmt.Fprint(t.out, question)
	line, err := t.line(ctx, masked)
	fmt.Fprint(t.out, "\r\n")
	return line, err
}

const (
	maxTyped = 64 << 10
	maxStars = 24
)

// line reads keys until Enter. A terminal's own line mode ends at 4,095 bytes,
// which pasted addresses can exceed.
func (t *terminal) line(ctx context.Context, masked bool) (string, error) {
	var line []byte
	shown := 0 // runes on the screen
	erase := func(n int) {
		fmt.Fprint(t.out, strings.Repeat("\b \b", n))
		shown -= n
	}
	for {
		b, err := t.next(ctx)
		if err != nil {
			return "", err
		}
		switch {
		case b == '\r' || b == '\n':
			return string(line), nil
		case b == 3: // Ctrl-C, which is a key here
			return "", errInterrupted
		case b == 4 && len(line) == 0: // Ctrl-D
			return "", errEnded
		case b == 0x1b:
			if err := t.skipSequence(ctx); err != nil {
				return "", err
			}
		case b == 0x7f || b == 8:
			if len(line) == 0 {
				continue
			}
			_, size := utf8.DecodeLastRune(line)
			line = line[:len(line)-size]
			if utf8.RuneCount(line) < shown {
				erase(1)
			}
		case b == 21: // Ctrl-U
			line = line[:0]
			erase(shown)
		case len(line) == maxTyped:
			return "", fmt.Errorf("longer than %d bytes", maxTyped)
		default:
			line = append(line, b)
			switch first := utf8.RuneStart(b); {
			case !masked && b >= ' ':
				t.out.Write([]byte{b})
				if first {
					shown++
				}
			case masked && first && shown < maxStars:
				io.WriteString(t.out, "*")
				shown++
			}
		}
	}
}

// skipSequence takes the rest of what an arrow or function key sends.
func (t *terminal) skipSequence(ctx context.Context) error {
	if len(t.typed) == 0 || t.typed[0] != '[' && t.typed[0] != 'O' {
		return nil // the Escape key itself
	}
	t.typed = t.typed[1:]
	for {
		b, err := t.next(ctx)
		if err != nil || b >= 0x40 && b <= 0x7e {
			return err
		}
	}
}

func (t *terminal) next(ctx context.Context) (byte, error) {
	if len(t.typed) == 0 {
		if err := waitInput(ctx, t.in); err != nil {
			return 0, err
		}
		buffer := make([]byte, 4096)
		n, err := t.in.Read(buffer)
		if n == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				err = errEnded
			}
			return 0, err
		}
		t.typed = buffer[:n]
	}
	b := t.typed[0]
	t.typed = t.typed[1:]
	return b, nil
}
