package dev.gatun.verify.ptx;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** What a kernel's launches did: instructions and lanes for each place of its text, branches that split warps, barriers. */
public final class PtxCounters {

    private final PtxKernel kernel;
    final long[] times;
    final long[] lanes;
    long barriers;
    long splits;
    long launches;

    PtxCounters(PtxKernel kernel) {
        this.kernel = kernel;
        this.times = new long[kernel.code.length];
        this.lanes = new long[kernel.code.length];
    }

    /** Instructions that warps executed. */
    public long instructions() {
        long sum = 0;
        for (long count : times) {
            sum += count;
        }
        return sum;
    }

    /** Instructions that threads executed. */
    public long threadInstructions() {
        long sum = 0;
        for (long count : lanes) {
            sum += count;
        }
        return sum;
    }

    /** Barriers that blocks passed. */
    public long barriers() {
        return barriers;
    }

    /** Branches at which the lanes of a warp went two ways. */
    public long splits() {
        return splits;
    }

    /** Thread instructions by opcode, in the order of their first place in the text. */
    public Map<String, Long> byOpcode() {
        Map<String, Long> sums = new LinkedHashMap<>();
        for (int i = 0; i < lanes.length; i++) {
            if (lanes[i] > 0) {
                sums.merge(kernel.code[i].opcode, lanes[i], Long::sum);
            }
        }
        return sums;
    }

    @Override
    public String toString() {
        long warps = instructions();
        return String.format(Locale.ROOT, "%s: %d launches, %d instructions of warps, %.0f%% of lanes at work, %d split branches, %d barriers",
                kernel.name, launches, warps, warps == 0 ? 0 : 100.0 * threadInstructions() / (32 * warps), splits, barriers);
    }
}
