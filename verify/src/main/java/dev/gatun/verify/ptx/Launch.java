package dev.gatun.verify.ptx;

import java.util.Random;
import java.util.StringJoiner;
import java.util.TreeMap;
import java.util.function.Consumer;

/** A kernel at work: its blocks, one after the other, and what they share. */
final class Launch {

    private static final int LANES = LaneOps.LANES;

    final PtxKernel kernel;
    final Grid grid;
    final byte[] parameters;
    final DeviceMemory memory;
    final SharedMemory shared;
    final int sharedBytes;
    final PtxCounters counters;
    private final Warp[] warps;
    private final int threads;
    private final Random order;

    /** Whose steps are told, and to whom; null for nobody's. */
    final Trace trace;

    int x;
    int y;
    int z;

    /** Barriers that the running block has passed, from one on. */
    int interval;

    /** How a kernel is spread over blocks and threads, along three axes each. */
    record Grid(int x, int y, int z, int threadsX, int threadsY, int threadsZ) {
        int threads() {
            return threadsX * threadsY * threadsZ;
        }
    }

    /** The steps of one thread of one block. */
    record Trace(int block, int thread, Consumer<String> out) {}

    Launch(PtxKernel kernel, Grid grid, int dynamicShared, byte[] parameters, DeviceMemory memory, PtxCounters counters, Random order, Trace trace) {
        if (parameters.length != kernel.parameterBytes) {
            throw new IllegalArgumentException("ptx: " + kernel.name + " takes " + kernel.parameterBytes + " bytes of parameters, given are "
                    + parameters.length);
        }
        this.kernel = kernel;
        this.grid = grid;
        this.parameters = parameters;
        this.memory = memory;
        this.counters = counters;
        this.order = order;
        this.trace = trace;
        this.threads = grid.threads();
        this.sharedBytes = dynamicShared == 0 ? kernel.sharedBytes : (kernel.sharedBytes + 15) / 16 * 16 + dynamicShared;
        this.shared = new SharedMemory(sharedBytes);
        this.warps = new Warp[(threads + LANES - 1) / LANES];
        for (int w = 0; w < warps.length; w++) {
            warps[w] = new Warp(this, w);
        }
    }

    void run() {
        int blocks = grid.x * grid.y * grid.z;
        int[] places = shuffled(blocks);
        for (int block : places) {
            x = block % grid.x;
            y = block / grid.x % grid.y;
            z = block / grid.x / grid.y;
            block();
        }
    }

    private int[] shuffled(int count) {
        int[] places = new int[count];
        for (int i = 0; i < count; i++) {
            int j = order == null ? i : order.nextInt(i + 1);
            places[i] = places[j];
            places[j] = i;
        }
        return places;
    }

    boolean traced() {
        return trace != null && trace.block == x + grid.x * (y + grid.y * z);
    }

    private void block() {
        interval = 1;
        shared.clear();
        for (Warp warp : warps) {
            warp.begin(Math.min(LANES, threads - warp.index * LANES));
        }
        int[] turns = shuffled(warps.length);
        while (true) {
            boolean waiting = false;
            for (int w : turns) {
                warps[w].run();
                waiting |= warps[w].waits();
            }
            if (!waiting) {
                return;
            }
            release();
        }
    }

    /** Everybody alive stands at a barrier; it has to be the same one. */
    private void release() {
        TreeMap<Integer, Integer> places = new TreeMap<>();
        for (Warp warp : warps) {
            if (warp.waits()) {
                places.merge(warp.at(), warp.lives(), Integer::sum);
            }
        }
        if (places.size() > 1) {
            StringJoiner where = new StringJoiner("; ");
            places.forEach((at, count) -> where.add(count + " threads at line " + kernel.code[at].line));
            throw fault(PtxFault.LAUNCH, kernel.code[places.firstKey()], "threads of a block wait at different barriers: " + where, "");
        }
        interval++;
        counters.barriers++;
        for (Warp warp : warps) {
            warp.pass();
        }
    }

    PtxFault fault(int code, Instruction i, String what, String who) {
        return new PtxFault(code, kernel.name + ": " + what + "\n  line " + i.line + ": " + i.text + "\n  block (" + x + ", " + y + ", " + z + ")"
                + (who.isEmpty() ? "" : ", " + who));
    }
}
