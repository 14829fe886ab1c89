package main

import (
	"testing"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

func TestPolicySurvivesAnOutage(t *testing.T) {
	s, err := simulate.Find("outage") // or a file of your own: who calls, what answers, what goes wrong when
	if err != nil {
		t.Fatal(err)
	}
	result := simulate.Run(t, s, policy.Default())
	gates, err := simulate.ParseGates("amplification_during <= 1.15\nrecovery <= 55s")
	if err != nil {
		t.Fatal(err)
	}
	if err := result.Check(gates); err != nil {
		t.Errorf("%v\n%v", err, result)
	}
}
