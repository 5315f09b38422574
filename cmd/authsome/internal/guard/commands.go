package guard

import (
	"slices"
	"strings"
)

// Rule says whether a command can be run behind the proxy. The zero value means yes.
type Rule struct {
	Does string // what the command does that is refused there, for the message
	Flag string // if not empty, the command is refused only with this flag
}

// harmless commands neither move, widen, reveal nor destroy a credential.
var harmless Rule

// Commands is the rule of every command, by its path without the name of the program.
var Commands = map[string]Rule{
	"":                  harmless,
	"demo":              harmless, // works in a home that it creates
	"demo agent":        harmless,
	"demo browser":      harmless,
	"login":             {Does: "stores a credential"},
	"run":               {Does: "serves credentials"},
	"list":              harmless,
	"status":            harmless, // behind the proxy it sends no credential
	"why":               harmless,
	"doctor":            {Does: "shows the log, and writes to a file", Flag: "report"},
	"log":               harmless,
	"get":               {Does: "reveals secrets", Flag: "show-secret"},
	"export":            {Does: "reveals secrets"},
	"import":            {Does: "stores credentials"},
	"default":           {Does: "changes which credential is used"},
	"connection":        harmless,
	"connection accept": {Does: "lets a credential be sent to more places"},
	"connection copy":   {Does: "copies a credential"},
	"connection move":   {Does: "moves a credential"},
	"connection prefer": {Does: "changes which credential is used"},
	"logout":            {Does: "deletes a credential"},
	"revoke":            {Does: "revokes credentials"},
	"remove":            {Does: "deletes credentials"},
	"inspect":           harmless,
	"provider":          harmless,
	"provider new":      harmless, // prints
	"new-provider":      harmless,
	"register":          {Does: "decides where credentials are sent"},
	"proxy":             {Does: "serves credentials"},
	"ca":                harmless,
	"ca path":           harmless,
	"ca show":           harmless,
	"ca export":         harmless, // the certificate is public
	"ca rotate":         {Does: "replaces the authority that clients trust"},
	"profile":           harmless,
	"profile list":      harmless,
	"profile create":    {Does: "changes the home"},
	"profile use":       {Does: "changes which credentials are used"},
	"profile delete":    {Does: "deletes credentials"},
	"vault":             harmless,
	"vault backup":      {Does: "reveals secrets"},
	"vault restore":     {Does: "replaces credentials"},
	"vault check":       harmless,
	"key":               harmless,
	"key status":        harmless,
	"key rotate":        {Does: "changes keys"},
	"key mode":          {Does: "changes keys"},
	"init":              {Does: "creates a home and its keys"},
	"whoami":            harmless,
	"completion":        harmless,
	"version":           harmless,
	"help":              harmless,
	"man":               harmless, // writes pages into a directory
	"__complete":        harmless, // offers names
	"__completeNoDesc":  harmless,
}

// GlobalFlags is the rule of every flag that all commands have.
var GlobalFlags = map[string]Rule{
	"help":     harmless,
	"json":     harmless,
	"log-file": {Does: "writes to a file"},
	"no-color": harmless,
	"profile":  harmless, // the rules are the same in each profile of the home
	"quiet":    harmless,
	"verbose":  harmless,
}

// Command returns the rule of a command. One that is not known is refused.
func Command(path string) Rule { return rule(Commands, path) }

// GlobalFlag returns the rule of a flag that all commands have.
func GlobalFlag(name string) Rule { return rule(GlobalFlags, name) }

func rule(rules map[string]Rule, name string) Rule {
	r, known := rules[name]
	if !known {
		return Rule{Does: "may change or reveal credentials"}
	}
	return r
}

// NeedsPerson reports whether a command line, without the name of the program, is
// refused behind the proxy, so that a person must run it.
func NeedsPerson(line string) bool {
	words := strings.Fields(line)
	if slices.Contains(words, "--help") {
		return false
	}
	for n := len(words); n > 0; n-- {
		if r, known := Commands[strings.Join(words[:n], " ")]; known {
			return r.Does != "" && (r.Flag == "" || slices.Contains(words, "--"+r.Flag))
		}
	}
	return false
}
