//go:build race

package faults_test

// slowness is how much longer everything takes under the race detector, on two
// processors that another package's tests want too.
const slowness = 20
