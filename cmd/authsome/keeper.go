package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/term"

	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// newKeeper connects the keeper of the master key with the home: what is noted
// of the key is in config.json, and AUTHSOME_MASTER_KEY_FILE goes before it.
func (a *app) newKeeper() (*vault.Keeper, error) {
	h, err := a.home()
	if err != nil {
		return nil, err
	}
	return &vault.Keeper{
		Home:   h.Dir,
		Places: func() (vault.Places, error) { return a.keyPlaces(h) },
		Save:   func(p vault.Places) error { return a.saveKeyPlaces(h, p) },
		Vaults: func() ([]string, error) {
			names, err := h.Profiles()
			if err != nil {
				return nil, err
			}
			var dirs []string
			for _, name := range names {
				p, err := h.Profile(name)
				if err != nil {
					return nil, err
				}
				dirs = append(dirs, p.Dir)
			}
			return dirs, nil
		},
		Passphrase: a.passphrase,
	}, nil
}

func (a *app) keyPlaces(h *home.Home) (vault.Places, error) {
	c, err := h.ReadConfig()
	if err != nil {
		return vault.Places{}, err
	}
	e := c.Encryption
	p := vault.Places{Place: vault.Place(e.KeyPlace), Next: (*vault.Place)(e.Next), Reseal: e.Reseal, Previous: (*vault.Place)(e.Previous), Changed: e.ChangedAt}
	file := a.getenv("AUTHSOME_MASTER_KEY_FILE")
	if file == "" || a.ignoreKeyFile || p.Next != nil || p.Previous != nil {
		return p, nil
	}
	if file, err = filepath.Abs(file); err != nil {
		return vault.Places{}, fmt.Errorf("AUTHSOME_MASTER_KEY_FILE: %w", err)
	}
	p.Place = vault.Place{Mode: vault.ModeFile, File: file}
	return p, nil
}

func (a *app) saveKeyPlaces(h *home.Home, p vault.Places) error {
	ctx, cancel := bounded(context.Background())
	defer cancel()
	return h.UpdateConfig(ctx, func(c *home.Config) {
		e := &c.Encryption
		e.KeyPlace, e.Next, e.Reseal = home.KeyPlace(p.Place), (*home.KeyPlace)(p.Next), p.Reseal
		e.Previous, e.ChangedAt = (*home.KeyPlace)(p.Previous), p.Changed
	})
}

// keyMode is where the master key is, in a word.
func (a *app) keyMode() (string, error) {
	h, err := a.home()
	if err != nil {
		return "", err
	}
	p, err := a.keyPlaces(h)
	return p.Mode, err
}

// resumeKeyChange goes on with a change of the master key that was interrupted.
// Where it cannot, the vault may be usable all the same.
func (a *app) resumeKeyChange(k *vault.Keeper) {
	ctx, cancel := bounded(context.Background())
	defer cancel()
	if err := k.Resume(ctx); err != nil {
		a.warnf("a change of the master key was interrupted and is not complete: %v", err)
	}
}

// passphraseTries is how often a person may be wrong.
const passphraseTries = 3

// passphrase is asked by the vault's keeper. A process that has been running has
// nobody at its terminal.
func (a *app) passphrase(ask vault.Ask) (secret.String, error) {
	if path := a.getenv("AUTHSOME_PASSPHRASE_FILE"); path != "" {
		if ask.Try > 0 {
			return secret.String{}, vault.ErrWrongPassphrase
		}
		return vault.ReadPassphrase(path)
	}
	switch {
	case ask.Reload, !a.canAsk():
		return secret.String{}, vault.ErrNoPassphrase
	case ask.New:
		return a.choosePassphrase()
	case ask.Try >= passphraseTries:
		return secret.String{}, vault.ErrWrongPassphrase
	}
	question := "Passphrase of the master key (not shown): "
	if ask.Next {
		question = "Passphrase of the new master key, whose change was interrupted (not shown): "
	}
	if ask.Try > 0 {
		question = "That is not it. " + question
	}
	return a.askSecret(question)
}

// minPassphrase is far from a good passphrase, and keeps out slips of the hand.
const minPassphrase = 8

// choosePassphrase asks for a new passphrase, twice.
func (a *app) choosePassphrase() (secret.String, error) {
	for range passphraseTries {
		first, err := a.askSecret("New passphrase (not shown): ")
		if err != nil {
			return secret.String{}, err
		}
		if len(first.Reveal()) < minPassphrase {
			a.warnf("a passphrase has %d characters at least; several words make a good one", minPassphrase)
			continue
		}
		second, err := a.askSecret("The same again: ")
		if err != nil {
			return secret.String{}, err
		}
		if first.Equal(second) {
			return first, nil
		}
		a.warnf("the two were not the same")
	}
	return secret.String{}, errors.New("no passphrase was chosen; nothing was changed")
}

// canAsk reports whether a person is there: at stdin, or, where that is
// redirected, at stderr.
func (a *app) canAsk() bool {
	if _, ok := a.terminal(); ok {
		return true
	}
	return isTerminal(a.stderr)
}

// askSecret asks on the terminal, wherever the streams go, without echo.
func (a *app) askSecret(question string) (secret.String, error) {
	in, out := os.Stdin, a.stderr
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
		defer tty.Close()
		in, out = tty, io.Writer(tty)
	}
	fmt.Fprint(out, question)
	b, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(out)
	if err != nil {
		return secret.String{}, fmt.Errorf("read from the terminal: %w", err)
	}
	if len(b) == 0 {
		return secret.String{}, vault.ErrNoPassphrase
	}
	return secret.New(string(b)), nil
}

// classifyKey is for errors about the master key and where it is kept.
func classifyKey(err error) (verdict, bool) {
	unavailable := func(hint string) (verdict, bool) { return verdict{exitStore, "StoreUnavailable", hint}, true }
	switch {
	case errors.Is(err, vault.ErrWrongPassphrase):
		return unavailable("try again; AUTHSOME_PASSPHRASE_FILE names a file with the passphrase, where it is set")
	case errors.Is(err, vault.ErrNoPassphrase):
		return unavailable("run it in a terminal, or let AUTHSOME_PASSPHRASE_FILE name a file with the passphrase, or /dev/fd/3")
	case errors.Is(err, vault.ErrKeyring):
		return unavailable("run it where the keyring is: in the desktop session that has it, or under dbus-run-session")
	case errors.Is(err, vault.ErrKeyMissing):
		return unavailable("put the key back that belongs to this home")
	case errors.Is(err, vault.ErrNoKeyFile):
		return unavailable("set AUTHSOME_MASTER_KEY_FILE to the file with the master key")
	case errors.Is(err, vault.ErrUnknownMode):
		return unavailable(`set encryption.mode in config.json to "local_key", "keyring", "passphrase" or "file"`)
	case errors.Is(err, vault.ErrSamePlace):
		return verdict{exitError, "Error", "authsome key mode file --file FILE"}, true
	case errors.Is(err, vault.ErrKeyReadOnly):
		return unavailable("authsome key mode file --file NEW")
	}
	return verdict{}, false
}
