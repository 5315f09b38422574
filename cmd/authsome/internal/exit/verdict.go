package exit

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/authsome/authsome/internal/regular"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// Verdict is what an error means.
type Verdict struct {
	Code int
	Name string // for programs, as the member "error" of --json
	Next suggest.Suggestion
}

// Judge is the one place where errors become exit codes and suggestions.
func Judge(err error) Verdict {
	v := classify(err)
	if h, ok := errors.AsType[*hintError](err); ok {
		v.Next = h.next
	}
	return v
}

// classify asks the functions that each know the errors of one part. The first that
// knows an error decides.
func classify(err error) Verdict {
	for _, known := range []func(error) (Verdict, bool){
		classifyUsage, classifyCredential, classifyTransfer, classifyKey, classifyStore, classifyDefinition,
	} {
		if v, ok := known(err); ok {
			return v
		}
	}
	return Verdict{Code: Error, Name: "Error"}
}

// failure is an error of this program that knows its verdict.
type failure interface {
	error
	Verdict() Verdict
}

func classifyUsage(err error) (Verdict, bool) {
	if f, ok := errors.AsType[failure](err); ok {
		return f.Verdict(), true
	}
	if e, ok := errors.AsType[*ca.RootsError](err); ok {
		return Verdict{Usage, "InvalidCertificates", suggest.Advice("fix the file, or unset %s", e.Variable)}, true
	}
	if errors.Is(err, terminal.ErrInterrupted) {
		return Verdict{Code: Interrupted, Name: "Cancelled"}, true
	}
	return Verdict{}, false
}

func classifyCredential(err error) (Verdict, bool) {
	if e, ok := errors.AsType[*providers.NotFoundError](err); ok {
		next := suggest.Command("list")
		switch {
		case e.File != nil:
			next = suggest.Command("register %s --check", suggest.Words(e.File.Path))
		case e.Near != "":
			next = next.With(e.Near)
		case e.Category != "":
			next = next.With("--category " + e.Category)
		}
		return Verdict{ProviderNotFound, "ProviderNotFound", next}, true
	}
	if e, ok := errors.AsType[*auth.LoginRequiredError](err); ok {
		return Verdict{CredentialMissing, "CredentialMissing", suggest.Login(e.Provider, e.Connection)}, true
	}
	if errors.Is(err, auth.ErrRefreshUnavailable) {
		return Verdict{Refresh, "RefreshFailed", suggest.Advice("try again later; the provider's token endpoint does not give a new token now")}, true
	}
	if e, ok := errors.AsType[*auth.ConnectedError](err); ok {
		return Verdict{Error, "AlreadyConnected", suggest.Relogin(e.Provider, e.Connection)}, true
	}
	if e, ok := errors.AsType[*auth.NoDefaultError](err); ok {
		return Verdict{Error, "NoDefaultConnection", suggest.Command("default %s %s", e.Provider, e.Connections[0])}, true
	}
	return Verdict{}, false
}

// classifyTransfer is for errors between two profiles.
func classifyTransfer(err error) (Verdict, bool) {
	if e, ok := errors.AsType[*auth.MoveError](err); ok {
		return Verdict{Code: classify(e.Err).Code, Name: "MoveIncomplete"}, true
	}
	switch {
	case errors.Is(err, auth.ErrOneHolder):
		return Verdict{Code: Error, Name: "NotCopied"}, true
	case errors.Is(err, auth.ErrBusy):
		return Verdict{Store, "ConnectionBusy", suggest.Advice("try again; a refresh takes seconds")}, true
	}
	return Verdict{}, false
}

func classifyDefinition(err error) (Verdict, bool) {
	if _, ok := errors.AsType[*providers.FieldError](err); ok {
		return Verdict{Code: Usage, Name: "InvalidDefinition"}, true
	}
	if errors.Is(err, providers.ErrInstalled) {
		return Verdict{Error, "AlreadyRegistered", suggest.Command("register FILE --force")}, true
	}
	return Verdict{}, false
}

// unavailable is a vault that cannot be used.
func unavailable(next suggest.Suggestion) (Verdict, bool) {
	return Verdict{Store, "StoreUnavailable", next}, true
}

// classifyKey is for errors about the master key and where it is kept.
func classifyKey(err error) (Verdict, bool) {
	switch {
	case errors.Is(err, vault.ErrWrongPassphrase):
		return unavailable(suggest.Advice("try again; if AUTHSOME_PASSPHRASE_FILE is set, check the file that it names"))
	case errors.Is(err, vault.ErrNoPassphrase):
		return unavailable(suggest.ByPerson("run it in a terminal, or set AUTHSOME_PASSPHRASE_FILE to a file with the passphrase, or to /dev/fd/3"))
	case errors.Is(err, vault.ErrKeyring):
		return unavailable(suggest.ByPerson("run it where the keyring is: in a desktop session, or with dbus-run-session"))
	case errors.Is(err, vault.ErrKeyMissing):
		return unavailable(suggest.ByPerson("restore the master key of this home from a backup"))
	case errors.Is(err, vault.ErrNoKeyFile):
		return unavailable(suggest.ByPerson("set AUTHSOME_MASTER_KEY_FILE to the file with the master key"))
	case errors.Is(err, vault.ErrUnknownMode):
		return unavailable(suggest.ByPerson(`set encryption.mode in config.json to "local_key", "keyring", "passphrase" or "file"`))
	case errors.Is(err, vault.ErrSamePlace):
		return Verdict{Usage, "UsageError", suggest.Command("key mode file --file FILE")}, true
	case errors.Is(err, vault.ErrKeyReadOnly):
		return unavailable(suggest.Command("key mode file --file NEW"))
	}
	return Verdict{}, false
}

func classifyStore(err error) (Verdict, bool) {
	if e, ok := errors.AsType[*home.AccessError](err); ok {
		return unavailable(suggest.Advice("%s", suggest.Words(e.Remedy...)))
	}
	if e, ok := errors.AsType[*home.ConfigError](err); ok {
		return unavailable(suggest.Advice("fix %s in an editor", e.Path))
	}
	if _, ok := errors.AsType[*vault.DamageError](err); ok {
		return unavailable(suggest.Command("vault check"))
	}
	switch {
	case errors.Is(err, home.ErrNoProfile):
		return Verdict{Usage, "ProfileNotFound", suggest.Command("profile list")}, true
	case errors.Is(err, home.ErrProfileExists):
		return Verdict{Usage, "ProfileExists", suggest.Command("profile list")}, true
	case errors.Is(err, home.ErrDefaultProfile):
		return Verdict{Usage, "DefaultProfile", suggest.Command("profile use NAME")}, true
	case errors.Is(err, home.ErrNewer), errors.Is(err, vault.ErrNewerFormat):
		return unavailable(suggest.ByPerson("install the authsome version that wrote it, or a newer one"))
	case errors.Is(err, vault.ErrLocked):
		return unavailable(suggest.Advice("try again; other authsome processes usually hold the vault for milliseconds"))
	case errors.Is(err, vault.ErrWrongKey):
		return unavailable(suggest.ByPerson("restore the master.key that belongs to this home, or replace the vault: authsome vault restore FILE --force"))
	case errors.Is(err, vault.ErrKeyExposed), errors.Is(err, vault.ErrPassphraseExposed):
		return unavailable(suggest.Advice("as the owner of the file, run chmod 600 on it; a container can also get it as a secret below /run/secrets"))
	case errors.Is(err, vault.ErrNotBackup):
		return Verdict{Usage, "InvalidBackup", suggest.Advice("check the passphrase or the identity, and the file; nothing was changed")}, true
	case errors.Is(err, vault.ErrNotEmpty):
		return Verdict{Error, "VaultNotEmpty", suggest.Command("vault restore FILE --force")}, true
	case errors.Is(err, vault.ErrOtherProfile):
		return Verdict{Code: Usage, Name: "OtherProfile"}, true
	}
	return classifySystem(err)
}

// classifySystem is for errors of the disk and of waiting.
func classifySystem(err error) (Verdict, bool) {
	if e, ok := errors.AsType[*regular.Error](err); ok {
		return unavailable(suggest.Advice("move %s away, and put the right file there", e.Path))
	}
	if e, ok := errors.AsType[*regular.SizeError](err); ok {
		return unavailable(suggest.Advice("move %s away, and put the right file there", e.Path))
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return unavailable(suggest.Advice("free some disk space and try again; stored data is unchanged"))
	case errors.Is(err, syscall.EROFS):
		return unavailable(suggest.Advice("the file system is read-only: mount it writable, or use another directory"))
	case errors.Is(err, syscall.EIO):
		return unavailable(suggest.Advice("the disk reports errors: check the system's log, then run authsome vault check"))
	case errors.Is(err, fs.ErrPermission):
		return unavailable(suggest.Advice("run it as the user who owns the file"))
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable(suggest.Advice("try again"))
	}
	return Verdict{}, false
}

// IsStore reports whether an error means that the vault or the home cannot be used.
func IsStore(err error) bool {
	_, store := classifyStore(err)
	return store
}
