package signin

import (
	"errors"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
)

// checkPKCE refuses a server that does not announce PKCE, unless the user accepts that.
func (l *Login) checkPKCE(config *flows.Config) error {
	if l.flow != providers.FlowPKCE && l.flow != providers.FlowDCRPKCE {
		return nil
	}
	err := config.CheckPKCE()
	if errors.Is(err, flows.ErrNoPKCE) && l.o.AllowNoPKCE {
		l.console.Warnf("%s does not say that it checks PKCE: if it does not, anyone who intercepts the code of this sign-in can use it", l.d.DisplayName)
		config.AllowNoPKCE = true
		return nil
	}
	return err
}
