package dev.gatun.bench.suite;

/**
 * How long is measured.
 *
 * @param forks processes, each of which times every row
 * @param warmMillis running in of one side of a row, after its kernels are fast
 * @param rounds measurements of one side in one fork
 * @param roundMillis the shortest length of one; a run that is longer is one
 * @param forkSeconds after which a fork begins no further row
 */
public record Pace(int forks, int warmMillis, int rounds, int roundMillis, int forkSeconds) {

    /** For numbers to be quoted. */
    public static final Pace FULL = new Pace(5, 1000, 5, 500, Integer.MAX_VALUE);
    /** For a look in under five minutes: each group's first rows come first, and rows that are not reached say so. */
    public static final Pace QUICK = new Pace(2, 150, 3, 60, 130);
}
