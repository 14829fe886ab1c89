package cli

import "github.com/spf13/cobra"

func (p Program) learn() *cobra.Command {
	return &cobra.Command{Use: "learn LOG", Short: "Learn from a log what a scenario should look like", Args: exactly("LOG")}
}
