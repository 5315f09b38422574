package loopback

import (
	"context"
	"errors"
	"slices"
)

// choiceField is the field of the chosen name.
const choiceField = "choice"

// Choice is one of several ways to log in.
type Choice struct {
	Name  string // what Choose returns
	Title string
	Text  string // what it takes, as a sentence
}

// Choose shows the choices until the user has chosen one, and returns its name.
func (s *Server) Choose(ctx context.Context, purpose string, choices []Choice) (string, error) {
	known := func(name string) error {
		if !slices.ContainsFunc(choices, func(c Choice) bool { return c.Name == name }) {
			return errors.New("choose one of them")
		}
		return nil
	}
	values, err := s.ask(ctx, &formStage{
		Form:    Form{Purpose: purpose, Fields: []Field{{Name: choiceField, Check: known}}},
		choices: choices,
	})
	return values[choiceField].Reveal(), err
}

// Code is a code that the user enters on a page of the provider.
type Code struct {
	User string // the code
	URL  string // the page
	Link string // the page with the code filled in; may be empty
}

// ShowCode shows the code until ctx is done. The page then waits for the result. The
// error is that of ctx, or [ErrCancelled].
func (s *Server) ShowCode(ctx context.Context, c Code) error {
	_, err := s.ask(ctx, &formStage{code: &c})
	return err
}
