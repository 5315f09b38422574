package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	maxTyped = 64 << 10 // bytes of an answer
	maxStars = 24       // stars on the screen
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
// and pasted addresses and keys can be longer.
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
			return "", fmt.Errorf("the input is longer than %d bytes", maxTyped)
		default:
			line = append(line, b)
			shown += t.echo(b, masked, shown)
		}
	}
}

// echo shows a typed byte, or a star for the first byte of a character if masked is
// set and fewer than maxStars are shown. It returns the number of characters that it
// added to the screen.
func (t *Terminal) echo(b byte, masked bool, shown int) int {
	first := utf8.RuneStart(b)
	switch {
	case !masked && b >= ' ':
		t.Out.Write([]byte{b})
	case masked && first && shown < maxStars:
		io.WriteString(t.Out, "*")
	default:
		return 0
	}
	if first {
		return 1
	}
	return 0
}

// skipSequence reads the rest of the bytes that an arrow or function key sends.
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

// readByte returns the next byte that was typed. The error is [ErrEnded] at the end of
// the input.
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
