package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/birdwire/birdwire/gateway/client"
)

func (c *cli) rules() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "rules",
		Short: "Filter posts by queries",
		Long: `Filter rules: the queries whose posts a key receives on the twitter API.

A query is words, "phrases", #tags, @users, $CASHTAGS and operators such as
from:, lang:, is:retweet and has:links. A space means and; OR, - and ( ) do
what they look like.

` + keyHelp,
		Example: example(`
			birdwire rules create --tag bitcoin --query 'bitcoin lang:en -is:retweet'
			birdwire rules validate '(bitcoin OR $BTC) has:links'
			birdwire rules test --query 'bitcoin -is:retweet' --post posts.ndjson
			birdwire rules backtest --query 'bitcoin lang:en' --since 24h
			birdwire rules list --key bw_…`),
	}, c.rulesCreate(), c.rulesValidate(), c.rulesTest(), c.rulesBacktest(), c.rulesList(), c.rulesShow(), c.rulesUpdate(), c.rulesDelete())
}

// ruleFlags returns what was given.
func ruleFlags(flags *pflag.FlagSet) *client.RuleChange {
	r := new(client.RuleChange)
	flags.SortFlags = false
	optionalText(flags, &r.Tag, "tag", "its name, one of its kind within the key")
	optionalText(flags, &r.Query, "query", "what posts it wants")
	optionalSeconds(flags, &r.IntervalSeconds, "interval", "for sources that poll; a streaming source delivers at once")
	flags.Var(countFlag{&r.MaxResultsPerPoll}, "max-results", "posts a poll, for sources that poll (default 20)")
	optionalText(flags, &r.Status, "status", "active, paused or inactive")
	return r
}

func (c *cli) rulesCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "create --tag TAG --query QUERY",
		Short:   "Have a query's posts delivered from now on",
		Example: example(`birdwire rules create --tag bitcoin --query 'bitcoin lang:en -is:retweet'`),
		Args:    words(),
		PreRunE: need("tag", "query"),
	}
	change := ruleFlags(cmd.Flags())
	return c.resourceCommand(cmd, func(cmd *cobra.Command, _ []string, r *client.Resources, p printer) error {
		made, err := r.CreateRule(cmd.Context(), *change)
		if err != nil {
			return inQuery(text(change.Query), err)
		}
		return p.rule(made)
	})
}

func (c *cli) rulesValidate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate QUERY",
		Short: "Check a query, and see what it would have matched",
		Long: `Check a query without making a rule: the place of an error, warnings, how many
of the newest posts it matches, and what each of its clauses says of the newest
that matches, or of the newest post where none does. An invalid query exits 1.`,
		Example: example(`birdwire rules validate '(bitcoin OR $BTC) has:links'`),
		Args:    words("QUERY"),
	}
	return c.resourceCommand(cmd, func(cmd *cobra.Command, args []string, r *client.Resources, p printer) error {
		v, err := r.ValidateQuery(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		err = p.value(v, func() error {
			if !v.Valid {
				return nil
			}
			return c.showValidation(p, v)
		})
		if err == nil && !v.Valid {
			err = inQuery(args[0], &client.Error{Status: 422, Detail: v.Error, Field: "query", Position: v.Position, Expected: v.Expected})
		}
		return err
	})
}

func (c *cli) rulesList() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the key's rules",
		Example: example("birdwire rules list --status active"),
		Args:    words(),
	}
	status := cmd.Flags().String("status", "", "only those that are active, paused, error or inactive")
	return c.resourceCommand(cmd, func(cmd *cobra.Command, _ []string, r *client.Resources, p printer) error {
		all := []client.Rule{}
		for page := 1; ; page++ {
			list, err := r.ListRules(cmd.Context(), client.Page{Status: *status, Number: page, Size: pageSize})
			if err != nil {
				return err
			}
			all = append(all, list.Rules...)
			if len(list.Rules) < pageSize {
				break
			}
		}
		return p.value(map[string]any{"rules": all, "total": len(all)}, func() error {
			var rows [][]string
			for _, r := range all {
				rows = append(rows, []string{r.ID, r.Status, r.Tag, r.Query, text(r.StatusReason)})
			}
			return p.table("ID STATUS TAG QUERY REASON", rows)
		})
	})
}

func (c *cli) rulesShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a rule",
		Example: example("birdwire rules show rule-…"),
		Args:    words("ID"),
	}
	return c.resourceCommand(cmd, func(cmd *cobra.Command, args []string, r *client.Resources, p printer) error {
		shown, err := r.Rule(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return p.rule(shown)
	})
}

func (c *cli) rulesUpdate() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "update ID [flags]",
		Short:   "Change what is given of a rule",
		Example: example("birdwire rules update rule-… --query 'bitcoin OR ethereum' --status active"),
		Args:    words("ID"),
		PreRunE: needOne("tag", "query", "interval", "max-results", "status"),
	}
	change := ruleFlags(cmd.Flags())
	return c.resourceCommand(cmd, func(cmd *cobra.Command, args []string, r *client.Resources, p printer) error {
		changed, err := r.UpdateRule(cmd.Context(), args[0], *change)
		if err != nil {
			return inQuery(text(change.Query), err)
		}
		return p.rule(changed)
	})
}

func (c *cli) rulesDelete() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete ID",
		Short:   "Have a query's posts delivered no longer",
		Example: example("birdwire rules delete rule-…"),
		Args:    words("ID"),
	}
	return c.resourceCommand(cmd, func(cmd *cobra.Command, args []string, r *client.Resources, p printer) error {
		if err := r.DeleteRule(cmd.Context(), args[0]); err != nil {
			return err
		}
		return p.gone(args[0])
	})
}

func (p printer) rule(r *client.Rule) error {
	return p.value(r, func() error {
		return p.sheet("id", r.ID, "tag", r.Tag, "query", r.Query, "status", r.Status, "reason", text(r.StatusReason),
			"interval", seconds(r.IntervalSeconds), "created", stamp(r.CreatedAt), "updated", stamp(r.UpdatedAt))
	})
}
