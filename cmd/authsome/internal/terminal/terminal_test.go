//go:build unix

package terminal

import (
	"bytes"
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

const limit = 10 * time.Second

// keyboard is the person's side of a pseudo-terminal: the keys and the screen.
type keyboard struct {
	t      *testing.T
	master *os.File

	mu     sync.Mutex // guards screen
	screen bytes.Buffer
}

// newTerminal returns a terminal on a pseudo-terminal, and the keyboard for it.
func newTerminal(t *testing.T) (*Terminal, *keyboard) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	k := &keyboard{t: t, master: master}
	var reading sync.WaitGroup
	reading.Go(func() {
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			k.mu.Lock()
			k.screen.Write(buffer[:n])
			k.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		slave.Close()
		reading.Wait() // the read fails once the slave is closed
		master.Close()
	})
	return &Terminal{in: slave, Out: slave, Width: 80}, k
}

func (k *keyboard) seen() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.screen.String()
}

// await waits until the screen has the text.
func (k *keyboard) await(text string) {
	k.t.Helper()
	for end := time.Now().Add(limit); !strings.Contains(k.seen(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			k.t.Fatalf("the screen has no %q: %q", text, k.seen())
		}
	}
}

func (k *keyboard) press(keys string) {
	k.t.Helper()
	if _, err := k.master.WriteString(keys); err != nil {
		k.t.Fatal(err)
	}
}

type answer struct {
	text string
	err  error
}

// ask asks a masked question in the background, and waits until it is on the screen.
func ask(ctx context.Context, t *Terminal, k *keyboard) <-chan answer {
	k.t.Helper()
	answers := make(chan answer, 1)
	go func() {
		s, err := t.Secret(ctx, "Key: ")
		answers <- answer{s.Reveal(), err}
	}()
	k.await("Key: ")
	return answers
}

func receive(t *testing.T, answers <-chan answer) answer {
	t.Helper()
	select {
	case a := <-answers:
		return a
	case <-time.After(limit):
		t.Fatal("the question does not end")
		panic("unreachable")
	}
}

// visible is the last line of what was printed, as a screen shows it: backspace moves
// the cursor, and later characters replace earlier ones.
func visible(printed string) string {
	var line []rune
	at := 0
	for _, r := range strings.TrimRight(printed, "\r\n") {
		if r == '\b' {
			at--
			continue
		}
		line = append(line[:at], append([]rune{r}, line[min(at+1, len(line)):]...)...)
		at++
	}
	return strings.TrimRight(string(line), " ")
}

func TestSecretShowsOnlyStars(t *testing.T) {
	const eraseLine = "\x15"
	for _, tt := range []struct{ name, keys, secret, shown string }{
		{"typed", "sk-1", "sk-1", "****"},
		{"backspace", "sk-12\x7f\b", "sk-", "***"},
		{"backspace at the start", "\x7f\x7fsk", "sk", "**"},
		{"line erased", "mistyped" + eraseLine + "sk", "sk", "**"},
		{"not ASCII", "ключ-密钥\x7f", "ключ-密", "******"},
		{"arrow and function keys", "s\x1b[Dk\x1bOP-\x1b[15~1", "sk-1", "****"},
		{"long", strings.Repeat("k", 200), strings.Repeat("k", 200), strings.Repeat("*", maxStars)},
		{"long, then shortened", strings.Repeat("k", 200) + strings.Repeat("\x7f", 190), strings.Repeat("k", 10), strings.Repeat("*", 10)},
		{"longer than a line of the terminal", strings.Repeat("k", 9000), strings.Repeat("k", 9000), strings.Repeat("*", maxStars)},
		{"empty", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			terminal, k := newTerminal(t)
			answers := ask(t.Context(), terminal, k)
			k.press(tt.keys + "\r")
			if a := receive(t, answers); a.err != nil || a.text != tt.secret {
				t.Errorf("%q, %v; want %q", a.text, a.err, tt.secret)
			}
			k.await("\r\n")
			seen := k.seen()
			if got := strings.TrimPrefix(visible(seen), "Key:"); strings.TrimSpace(got) != tt.shown {
				t.Errorf("the screen shows %q, want %q", got, tt.shown)
			}
			// Not even for a moment.
			if rest := strings.Trim(strings.TrimPrefix(seen, "Key: "), "* \b\r\n"); rest != "" {
				t.Errorf("the screen showed %q", rest)
			}
		})
	}
}

// However a question ends, the terminal is in its former state, and nothing that was
// typed is on the screen.
func TestTerminalStateIsRestored(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(k *keyboard, cancel func())
		want error
	}{
		{"Enter", func(k *keyboard, _ func()) { k.press("\r") }, nil},
		{"Ctrl-C", func(k *keyboard, _ func()) { k.press("\x03") }, ErrInterrupted},
		{"Ctrl-D", func(k *keyboard, _ func()) { k.press("\x15\x04") }, ErrEnded},
		{"cancelled context", func(_ *keyboard, cancel func()) { cancel() }, context.Canceled},
		{"SIGTERM", func(*keyboard, func()) { syscall.Kill(os.Getpid(), syscall.SIGTERM) }, ErrInterrupted},
		{"SIGINT", func(*keyboard, func()) { syscall.Kill(os.Getpid(), syscall.SIGINT) }, ErrInterrupted},
		{"too long", func(k *keyboard, _ func()) { k.press(strings.Repeat("k", maxTyped+1)) }, errAny},
	} {
		t.Run(tt.name, func(t *testing.T) {
			terminal, k := newTerminal(t)
			fd := int(terminal.in.Fd())
			before, err := term.GetState(fd)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			answers := ask(ctx, terminal, k)
			if during, err := term.GetState(fd); err != nil || reflect.DeepEqual(before, during) {
				t.Fatalf("the terminal echoes while a secret is typed: %v", err)
			}
			k.press("sk-canary")
			k.await(strings.Repeat("*", len("sk-canary")))
			tt.end(k, cancel)
			a := receive(t, answers)
			if tt.want == errAny && a.err == nil || tt.want != errAny && !errors.Is(a.err, tt.want) {
				t.Errorf("error %v, want %v", a.err, tt.want)
			}
			if a.err != nil && a.text != "" {
				t.Errorf("the answer is %q after an error", a.text)
			}
			if after, err := term.GetState(fd); err != nil || !reflect.DeepEqual(before, after) {
				t.Errorf("the terminal is in another state: %v", err)
			}
			if strings.Contains(k.seen(), "canary") {
				t.Errorf("the screen shows %q", k.seen())
			}
		})
	}
}

// errAny is the expectation of an error that has no name.
var errAny = errors.New("any error")

func TestConfirm(t *testing.T) {
	for _, tt := range []struct {
		keys string
		want error
		text string
	}{
		{"y\r", nil, ""},
		{"YES\r", nil, ""},
		{" y \r", nil, ""},
		{"n\r", ErrDeclined, "cancelled; nothing was changed"},
		{"\r", ErrDeclined, "cancelled; nothing was changed"},
		{"yess\r", ErrDeclined, "cancelled; nothing was changed"},
		{"\x04", ErrDeclined, "cancelled; nothing was changed"},
		{"y\x03", ErrInterrupted, "cancelled; nothing was changed"},
	} {
		terminal, k := newTerminal(t)
		answers := make(chan answer, 1)
		go func() { answers <- answer{err: terminal.Confirm(t.Context(), "Delete it?")} }()
		k.await("Delete it? [y/N] ")
		k.press(tt.keys)
		a := receive(t, answers)
		if !errors.Is(a.err, tt.want) || a.err != nil && a.err.Error() != tt.text {
			t.Errorf("%q: %v, want %v", tt.keys, a.err, tt.want)
		}
	}
}

// A visible answer is shown as it is typed, and each of two lines that are pasted
// together answers one question.
func TestAskShowsTheAnswer(t *testing.T) {
	terminal, k := newTerminal(t)
	answers := make(chan answer, 2)
	go func() {
		for range 2 {
			text, err := terminal.Ask(t.Context(), "City: ", false)
			answers <- answer{text, err}
		}
	}()
	k.await("City: ")
	k.press("Zürich\x7fh\rBern\r")
	for _, want := range []string{"Zürich", "Bern"} {
		if a := receive(t, answers); a.err != nil || a.text != want {
			t.Errorf("%q, %v; want %q", a.text, a.err, want)
		}
	}
	const want = "City: Zürich\b \bh\r\nCity: Bern\r\n"
	if k.await("Bern\r\n"); k.seen() != want {
		t.Errorf("the screen shows %q, want %q", k.seen(), want)
	}
}

func TestOpenNeedsATerminal(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, stdin := range []any{file, nil, &bytes.Buffer{}} {
		if IsTerminal(stdin) {
			t.Errorf("%T is a terminal", stdin)
		}
	}
	if Open(file, &bytes.Buffer{}) != nil || OpenForSecret(file, &bytes.Buffer{}) != nil {
		t.Error("opened something that is not a terminal")
	}
	(*Terminal)(nil).Close()
}
