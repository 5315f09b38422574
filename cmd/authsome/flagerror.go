package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// wantsJSON reports whether --json is among authsome's own flags, even if others are
// invalid. The flags of the command that authsome run starts are not authsome's.
func wantsJSON(root *cobra.Command, args []string) bool {
	cmd, rest, err := root.Find(args)
	if err != nil {
		return false
	}
	f := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	f.ParseErrorsAllowlist.UnknownFlags = true
	f.SetInterspersed(cmd.Name() != "run")
	// Copies of the flags, which accept any value and do nothing.
	add := func(flag *pflag.Flag) {
		if f.Lookup(flag.Name) == nil {
			f.StringP(flag.Name, flag.Shorthand, "", "")
			f.Lookup(flag.Name).NoOptDefVal = flag.NoOptDefVal
		}
	}
	cmd.Flags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	f.Parse(rest)
	json, err := strconv.ParseBool(f.Lookup("json").Value.String())
	return err == nil && json
}

// flagForms says what the values of each type of flag look like.
var flagForms = map[string]string{
	"bool":        "true or false",
	"duration":    "a duration such as 30s, 5m or 1h",
	"int":         "a whole number",
	"stringSlice": "words separated by commas, without quotation marks",
}

// flagProblem says what is wrong with a flag. The flag package's own texts quote the
// errors of Go's parsers.
func flagProblem(err error) string {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Sprintf("--%s %s: use %s", e.GetFlag().Name, e.GetValue(), flagForms[e.GetFlag().Value.Type()])
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return fmt.Sprintf("--%s needs a value", e.GetFlag().Name)
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if e.GetSpecifiedShortnames() != "" {
			return "unknown flag -" + e.GetSpecifiedName()
		}
		return "unknown flag --" + e.GetSpecifiedName()
	}
	if e, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return "invalid flag " + e.GetSpecifiedFlag()
	}
	return err.Error()
}
