package dev.gatun.bench.suite;

/**
 * How long is measured.
 *
 * @param forks processes, each of which times every row
 * @param warmMillis running in of one side of a row, after its kernels are fast
 * @param rounds measurements of one side in one fork
 * @param roundMillis the shortest length of one; a run that is longer is one
 */
public record Pace(int forks, int warmMillis, int rounds, int roundMillis) {

    /** For numbers to be quoted. */
    public static final Pace FULL = new Pace(5, 1000, 5, 500);
    /** For a look: all rows in under five minutes on two cores. */
    public static final Pace QUICK = new Pace(2, 150, 3, 60);
}
