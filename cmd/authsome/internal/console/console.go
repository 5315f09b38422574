// Package console is how a command talks to the person or program that ran it: what
// it prints, in which form, and what it asks.
//
// The rules:
//   - stdout has what was asked for, also errors with --json; stderr has the rest.
//   - Messages begin with "authsome: " and a small letter, and end without a period.
//   - No secret is printed unless it was asked for by name.
//   - Colour says nothing that the words do not.
package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/secret"
)

// Console is the streams of a process and how to use them. Its exported fields are
// set before the command runs and not changed after. Its printing methods are safe
// for concurrent use as far as the writers are.
type Console struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	Behind   func() bool // reports whether this process is behind the proxy

	JSON    bool   // print JSON to Out, and no prose
	Quiet   bool   // leave out what Infof prints
	NoColor bool   // paint nothing
	Profile string // as --profile named it; suggested commands name it too

	// Keys returns words that were given as arguments and look like keys. Messages do
	// not repeat them. It may be nil.
	Keys func() []string

	once     sync.Once
	terminal *terminal.Terminal // set by once

	mu       sync.Mutex // guards redirect
	redirect func(text string)
}

// Printf prints what was asked for. A reader that went away, such as a closed pager,
// is not an error.
func (c *Console) Printf(format string, args ...any) {
	io.WriteString(c.Out, c.withoutKeys(fmt.Sprintf(format, args...)))
}

// Infof reports what was done, unless Quiet is set.
func (c *Console) Infof(format string, args ...any) {
	if !c.Quiet {
		c.Notef(format, args...)
	}
}

// Notef prints what a person must know to continue, also when Quiet is set.
func (c *Console) Notef(format string, args ...any) {
	fmt.Fprintf(c.Err, "authsome: %s\n", show.VisibleLines(c.withoutKeys(fmt.Sprintf(format, exit.Messages(args)...))))
}

// Warnf prints a warning.
func (c *Console) Warnf(format string, args ...any) {
	fmt.Fprintf(c.Err, "authsome: %s %s\n", c.paint(c.Err, show.Yellow, "warning:"), show.VisibleLines(c.withoutKeys(exit.PlainText(fmt.Sprintf(format, exit.Messages(args)...)))))
}

// Detail prints a line that a following question is about, also when Quiet is set.
func (c *Console) Detail(format string, args ...any) {
	fmt.Fprintln(c.Err, show.Visible(c.withoutKeys(fmt.Sprintf(format, args...))))
}

// withoutKeys returns a text with the words of Keys redacted.
func (c *Console) withoutKeys(text string) string {
	if c.Keys == nil {
		return text
	}
	for _, key := range c.Keys() {
		text = strings.ReplaceAll(text, key, secret.Redacted)
	}
	return text
}

// PrintJSON prints one indented document. The views that it gets spell out their
// fields: a secret among them is an error, and a bug.
func (c *Console) PrintJSON(v any) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(c.Out, c.withoutKeys(text.String()))
	return err
}

// Table and Facts print rows to Out; see package show.
func (c *Console) Table(rows [][]string) { show.Table(c.Out, c.cells(rows)) }

// TableWithNotes prints one of two tables to Out, and the notes; see package show.
func (c *Console) TableWithNotes(whole, short [][]string, notes []string) {
	show.TableWithNotes(c.Out, c.cells(whole), c.cells(short), c.cells([][]string{notes})[0])
}

// Facts prints rows of a name and a value to Out.
func (c *Console) Facts(rows [][]string) { show.Facts(c.Out, c.cells(rows)) }

// cells are the rows with their texts as they are printed.
func (c *Console) cells(rows [][]string) [][]string {
	printed := make([][]string, len(rows))
	for i, row := range rows {
		for _, text := range row {
			printed[i] = append(printed[i], c.withoutKeys(text))
		}
	}
	return printed
}

// Suggest writes a suggestion out for the profile in use.
func (c *Console) Suggest(s suggest.Suggestion) string {
	text, _ := c.Next(s)
	return text
}

// Next is Suggest, and says who has to act: "" means the one who ran this command.
func (c *Console) Next(s suggest.Suggestion) (text, who string) {
	if !s.IsZero() && c.Behind() {
		return s.ForAgent(c.Profile)
	}
	return s.In(c.Profile), ""
}

// Fail reports an error and returns the exit code.
func (c *Console) Fail(err error) int {
	if code, ok := errors.AsType[exit.CodeError](err); ok {
		return int(code)
	}
	v := exit.Judge(err)
	hint, who := c.Next(v.Next)
	hint, message := c.withoutKeys(hint), c.withoutKeys(exit.Message(err))
	if c.JSON {
		c.PrintJSON(struct {
			Error   string       `json:"error"`
			Message string       `json:"message"`
			Hint    string       `json:"hint,omitempty"`
			Who     string       `json:"who,omitempty"`
			Class   string       `json:"error_class"` // the name that the Python authsome printed
			Faults  []exit.Fault `json:"faults,omitempty"`
		}{v.Name, message, hint, who, v.Class(), exit.Faults(err)})
		return v.Code
	}
	// Messages of the system may have several lines.
	fmt.Fprintf(c.Err, "authsome: %s %s\n", c.paint(c.Err, show.Red, "error:"), show.VisibleLines(message))
	if hint != "" {
		fmt.Fprintf(c.Err, "authsome: %s %s\n", c.paint(c.Err, show.Faint, "hint:"), show.VisibleLines(hint))
	}
	return v.Code
}

// Paint colours text for Out, if Out is a terminal and colour was not turned off by
// --no-color or NO_COLOR (https://no-color.org).
func (c *Console) Paint(colour show.Colour, text string) string { return c.paint(c.Out, colour, text) }

func (c *Console) paint(w io.Writer, colour show.Colour, text string) string {
	if c.NoColor || c.Getenv("NO_COLOR") != "" || c.Getenv("TERM") == "dumb" || !terminal.IsTerminal(w) {
		return text
	}
	return colour.Paint(text)
}

// Terminal is where a person can be asked, or nil: stdin is not a terminal. It is
// opened once, because it may have read ahead.
func (c *Console) Terminal() *terminal.Terminal {
	c.once.Do(func() { c.terminal = terminal.Open(c.In, c.Err) })
	return c.terminal
}

// Close releases the terminal.
func (c *Console) Close() {
	c.once.Do(func() {})
	c.terminal.Close()
}

// Confirm asks a yes-or-no question on the terminal. Without a terminal the error
// names the flag that answers it.
func (c *Console) Confirm(ctx context.Context, question, flag string) error {
	t := c.Terminal()
	if t == nil {
		return exit.WithFlag(exit.Usagef("cannot ask for confirmation without a terminal: %s", question), flag)
	}
	return t.Confirm(ctx, show.Visible(question))
}
