// Command program is what a test builds and runs, to see that a plain program can simulate and that nothing shows of how it does.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

func main() {
	simulate.Main(func(r *simulate.Runner) int {
		name := flag.String("scenario", "", "`name` of the scenario")
		flag.Parse()
		switch flag.Arg(0) {
		case "panic":
			panic("bang")
		case "inside":
			r.Configure = func(*transport.Config) { panic("bang") }
		case "exit":
			runtime.Goexit()
		case "usage":
			flag.CommandLine.SetOutput(os.Stdout)
			flag.Usage()
			return 3
		}
		s, err := simulate.Find(*name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		s.Repeat = 1
		// Any goroutine of the program may run simulations, if it is one at a time.
		done := make(chan error)
		go func() {
			result, err := r.Run(context.Background(), s, policy.Default())
			if err == nil {
				err = json.NewEncoder(os.Stdout).Encode(result)
			}
			done <- err
		}()
		if err := <-done; err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	})
}
