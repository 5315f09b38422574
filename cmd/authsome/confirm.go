package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// errDeclined is the user's no.
var errDeclined = errors.New("nothing was done")

// confirm asks a yes or no question on the terminal. Without one the error is about
// the flag that answers it.
func (a *app) confirm(ctx context.Context, question, flag string) error {
	if _, ok := a.terminal(); !ok {
		return withFlag(usageErrorf("%s cannot be asked: this is no terminal", strings.TrimSuffix(question, "?")), flag)
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	// A read of a terminal cannot be given up; the process ends after the command,
	// and this with it.
	go func() {
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		answer <- line
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.stderr)
		return ctx.Err()
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
		return errDeclined
	}
}
