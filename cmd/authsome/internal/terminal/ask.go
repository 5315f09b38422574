package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/authsome/authsome/secret"
)

// Confirm asks a yes-or-no question before something is changed. The error is
// [ErrDeclined] for every answer but yes, and wraps [ErrInterrupted] after Ctrl-C.
func (t *Terminal) Confirm(ctx context.Context, question string) error {
	answer, err := t.Ask(ctx, question+" [y/N] ", false)
	switch {
	case errors.Is(err, ErrEnded):
		return ErrDeclined
	case errors.Is(err, ErrInterrupted):
		return fmt.Errorf("%w; nothing was changed", err)
	case err != nil:
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return ErrDeclined
}

// Secret asks for a secret, and shows stars while it is typed. The secret may be
// empty.
func (t *Terminal) Secret(ctx context.Context, question string) (secret.String, error) {
	typed, err := t.Ask(ctx, question, true)
	return secret.New(typed), err
}

// Ask asks a question and returns the line that is typed, without its end. A masked
// answer is shown as stars; their number is limited, so that it does not reveal the
// length of a key.
//
// SIGINT and SIGTERM end the question as Ctrl-C does. Their default action would end
// the process and leave the terminal in raw mode.
func (t *Terminal) Ask(ctx context.Context, question string, masked bool) (string, error) {
	asking, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	fd := int(t.in.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", fmt.Errorf("ask on the terminal: %w", err)
	}
	defer term.Restore(fd, before)
	fmt.Fprint(t.Out, question)
	line, err := t.readLine(asking, masked)
	fmt.Fprint(t.Out, "\r\n")
	if err != nil && asking.Err() != nil && ctx.Err() == nil {
		err = ErrInterrupted
	}
	return line, err
}
