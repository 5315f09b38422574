package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/authsome/authsome/internal/regular"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

const (
	// passphraseTries is how often a person can enter a wrong passphrase.
	passphraseTries = 3
	// minPassphrase, in characters, prevents typing mistakes. It does not make a
	// passphrase strong.
	minPassphrase = 8
)

// passphrase gets a passphrase for the vault's keeper: from the file in
// AUTHSOME_PASSPHRASE_FILE, else from the terminal. A process that has been running for
// a while may be unattended, so it does not ask again.
func (a *app) passphrase(ask vault.Ask) (secret.String, error) {
	if path := a.Getenv("AUTHSOME_PASSPHRASE_FILE"); path != "" {
		if ask.Reload && regular.Check(path) != nil {
			return secret.String{}, vault.ErrNoPassphrase // a pipe, which was read before
		}
		if ask.Try > 0 {
			return secret.String{}, vault.ErrWrongPassphrase
		}
		p, err := vault.ReadPassphrase(path)
		if errors.Is(err, fs.ErrNotExist) {
			// A file that is missing here is not a missing master key.
			return p, fmt.Errorf("%w: AUTHSOME_PASSPHRASE_FILE: %s", vault.ErrNoPassphrase, exit.Message(err))
		}
		if err != nil {
			return p, fmt.Errorf("AUTHSOME_PASSPHRASE_FILE: %w", err)
		}
		return p, nil
	}
	switch {
	case ask.Reload, !a.canAsk():
		return secret.String{}, vault.ErrNoPassphrase
	case ask.New:
		return a.choosePassphrase("New passphrase: ", minPassphrase)
	case ask.Try >= passphraseTries:
		return secret.String{}, vault.ErrWrongPassphrase
	}
	question := "Passphrase of the master key: "
	if ask.Next {
		question = "Passphrase of the new master key (an earlier change was interrupted): "
	}
	if ask.Try > 0 {
		question = "Wrong passphrase. " + question
	}
	return a.askSecret(question)
}

// choosePassphrase asks twice for a new passphrase of at least minimum characters.
func (a *app) choosePassphrase(question string, minimum int) (secret.String, error) {
	for range passphraseTries {
		first, err := a.askSecret(question)
		if err != nil {
			return secret.String{}, err
		}
		if utf8.RuneCountInString(first.Reveal()) < minimum {
			a.Warnf("use at least %d characters; several words make a good passphrase", minimum)
			continue
		}
		second, err := a.askSecret("Repeat the passphrase: ")
		if err != nil {
			return secret.String{}, err
		}
		if first.Equal(second) {
			return first, nil
		}
		a.Warnf("the passphrases differ")
	}
	return secret.String{}, errors.New("no passphrase was chosen; nothing was changed")
}

// canAsk reports whether a person can type a secret, even while stdin is redirected.
func (a *app) canAsk() bool {
	return a.Terminal() != nil || terminal.IsTerminal(a.Err)
}

// askSecret asks for a secret on the terminal, even while stdin is redirected.
func (a *app) askSecret(question string) (secret.String, error) {
	t := a.Terminal()
	if t == nil {
		t = terminal.OpenForSecret(a.In, a.Err)
		defer t.Close()
	}
	if t == nil {
		return secret.String{}, vault.ErrNoPassphrase
	}
	answer, err := t.Secret(context.Background(), question)
	if errors.Is(err, terminal.ErrEnded) || err == nil && answer.IsZero() {
		err = vault.ErrNoPassphrase
	}
	return answer, err
}

// filePassphrase reads a passphrase from the file of --passphrase-file, without the line
// breaks at its end.
func filePassphrase(path string) (secret.String, error) {
	p, err := vault.ReadPassphrase(path)
	switch {
	case errors.Is(err, vault.ErrPassphraseExposed):
		return secret.String{}, fmt.Errorf("--passphrase-file: %w", err)
	case err != nil && !errors.Is(err, vault.ErrNoPassphrase):
		return secret.String{}, exit.Usagef("--passphrase-file: %v", err)
	}
	text := strings.TrimRight(p.Reveal(), "\r\n")
	if text == "" {
		return secret.String{}, exit.Usagef("--passphrase-file %s is empty", path)
	}
	return secret.New(text), nil
}

// backupPassphrase gets the passphrase of a backup, from a file or from the terminal. For
// a new backup it is chosen now.
func (a *app) backupPassphrase(file string, isNew bool) (secret.String, error) {
	if file != "" {
		return filePassphrase(file)
	}
	if a.Terminal() == nil {
		return secret.String{}, exit.WithFlag(exit.Usagef("cannot ask for the passphrase without a terminal"), "--passphrase-file FILE")
	}
	const question = "Passphrase of the backup: "
	if isNew {
		return a.choosePassphrase(question, 1)
	}
	return a.askSecret(question)
}
