package providers

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/authsome/authsome/internal/hosts"
)

// Under some suffixes anyone can have a host: at registries (co.uk), and at operators
// whose customers run programs or answer requests there (run.app, github.io). A wildcard
// over such a suffix would give the credential to a stranger's host as soon as a client
// is led to it. Three lists know these suffixes: the public suffix list, the names above
// its entries (amazonaws.com, which has s3.amazonaws.com), and tenantSuffixes.

// sharedParents has the names above public suffixes, without those that are public
// suffixes themselves, each on a line.
// The package of the public suffix list does not say what is below a name.
// TestSharedParents writes the file from the rules of golang.org/x/net.
//
//go:embed shared_parents.txt
var sharedParents string

// tenantSuffixes are suffixes under which customers of an operator see the requests to
// their hosts, and which the public suffix list does not have. They are general
// knowledge: nobody read the operators' documentation. Each was looked up on 2026-11-29
// in stored copies of public repositories, which have hosts under it that look like
// those of customers. Under bore.pub these may be examples: its users get a port.
var tenantSuffixes = []string{
	// programs
	"azurecontainerapps.io", "cloudapp.azure.com", "cloudhub.io", "databricksapps.com", "app.genez.io", "cloud.genez.io", "kinsta.app", "koyeb.app",
	"m.pipedream.net", "modal.run", "nhost.run", "service-now.com", "snowflakecomputing.app", "surge.sh", "twil.io", "zuplo.app",
	// development environments
	"app.github.dev", "codesandbox.io", "gitpod.io", "glitch.me", "stackblitz.io", "webcontainer.io",
	// automation that gets requests
	"app.n8n.cloud", "beeceptor.com", "oast.fun", "oast.live", "oast.me", "oast.online", "oast.pro", "oast.site", "oastify.com", "requestcatcher.com", "webhook.site",
	// tunnels
	"bore.pub", "cfargotunnel.com", "devtunnels.ms", "lhr.life", "loca.lt", "localhost.run", "pagekite.me", "playit.gg", "serveo.net", "share.zrok.io",
	// virtual machines, storage and content
	"b-cdn.net", "backblazeb2.com", "bc.googleusercontent.com", "hs-sites.com", "my.salesforce-sites.com", "tumblr.com", "wasabisys.com", "wordpress.com",
	// names that contain the address to which they resolve
	"lvh.me", "nip.io", "sslip.io", "xip.io",
}

// oneOperator lists the public suffixes under which the owner runs all hosts. They
// are on the public suffix list because of cookies, not because others can have a
// host there.
var oneOperator = map[string]bool{"googleapis.com": true}

// sharedError reports a suffix under which anyone can have hosts.
type sharedError struct{ suffix string }

func (e *sharedError) Error() string {
	return fmt.Sprintf("anyone can register names under %s", e.suffix)
}

// checkRegistrable refuses a suffix under which anyone can register names, or that
// covers a host which never gets a credential.
func checkRegistrable(name string) error {
	if oneOperator[name] {
		return nil
	}
	if _, isAddress := hosts.KindOfHost(name); isAddress {
		return fmt.Errorf("a wildcard cannot cover IP addresses")
	}
	// A suffix that the list does not have (.test, .internal) counts as one label.
	if _, err := publicsuffix.EffectiveTLDPlusOne(name); err != nil {
		return &sharedError{name}
	}
	if reserved := hosts.ReservedUnder(name); reserved != "" {
		return &reservedError{reserved}
	}
	return nil
}

// checkTenants refuses a suffix under which customers of its owner have hosts.
func checkTenants(name string) error {
	if oneOperator[name] {
		return nil
	}
	tenants := slices.ContainsFunc(tenantSuffixes, func(s string) bool { return s == name || strings.HasSuffix(s, "."+name) })
	if tenants || strings.Contains(sharedParents, "\n"+name+"\n") {
		return &sharedError{name}
	}
	return nil
}

// signs reports whether the credential is a key that signs requests. The secret stays
// here, and a signature is of no use at another host, so such a credential may go to
// hosts of strangers: every client of AWS needs *.amazonaws.com.
func (d *Definition) signs() bool {
	signs := false
	for _, in := range d.Inject {
		for _, t := range in.templates() {
			if slices.ContainsFunc(names(t.text), d.secret) {
				if in.In != InSigV4 {
					return false
				}
				signs = true
			}
		}
	}
	return signs
}

// reservedError reports a host that never gets a credential: of the metadata service of
// a cloud, which gives credentials to any process, or of the proxy itself.
type reservedError struct{ name string }

func (e *reservedError) Error() string {
	return e.name + " is a metadata service or the proxy itself, and cannot get a credential"
}
