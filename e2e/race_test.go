//go:build race

package e2e_test

// raceFlag builds hubdemo like these tests.
const raceFlag = "-race=true"
