package dev.gatun.verify.ptx;

import java.util.Arrays;

/**
 * 32 threads of a block that step together where they can. Lanes that went different ways are groups with a place of their
 * own; the group at the lowest place runs, and groups that meet become one again. An instruction that lanes do together
 * waits until all that it names have come.
 */
final class Warp {

    private static final int LANES = LaneOps.LANES;

    /** Instructions without a barrier after which a warp is taken to run for ever. */
    private static final long PATIENCE = 1L << 30;

    final int index;
    private final Launch launch;
    private final Instruction[] code;
    private final long[][] registers;
    private final int[] defined;
    private final int[] truths;
    private final int[] truthDefined;
    private final long[] partial = new long[LANES];

    /** Groups that do not run at the moment. */
    private final int[] places = new int[LANES + 1];
    private final int[] masks = new int[LANES + 1];
    private final boolean[] waiting = new boolean[LANES + 1];
    private int groups;

    private int live;
    private boolean atBarrier;
    private int interval;
    private long steps;

    Warp(Launch launch, int index) {
        this.launch = launch;
        this.index = index;
        PtxKernel kernel = launch.kernel;
        this.code = kernel.code;
        this.registers = new long[kernel.slots()][];
        this.defined = new int[kernel.slots()];
        this.truths = new int[kernel.predicates];
        this.truthDefined = new int[kernel.predicates];
        int constants = kernel.registers + PtxKernel.SPECIAL.size();
        for (int i = 0; i < registers.length; i++) {
            registers[i] = new long[LANES];
            if (i >= constants) {
                Arrays.fill(registers[i], kernel.constants[i - constants]);
            }
        }
    }

    void begin(int threads) {
        PtxKernel kernel = launch.kernel;
        Launch.Grid grid = launch.grid;
        Arrays.fill(defined, 0, kernel.registers, 0);
        Arrays.fill(defined, kernel.registers, defined.length, -1);
        Arrays.fill(truthDefined, 0);
        for (int l = 0; l < LANES; l++) {
            int thread = index * LANES + l;
            int[] special = {
                thread % grid.threadsX(), thread / grid.threadsX() % grid.threadsY(), thread / grid.threadsX() / grid.threadsY(),
                grid.threadsX(), grid.threadsY(), grid.threadsZ(), launch.x, launch.y, launch.z, grid.x(), grid.y(), grid.z(), l};
            for (int s = 0; s < special.length; s++) {
                registers[kernel.registers + s][l] = special[s];
            }
        }
        live = threads == LANES ? -1 : (1 << threads) - 1;
        groups = 0;
        interval++;
        atBarrier = false;
        push(0, live, false);
    }

    /** Whether it stands at a barrier of the block. */
    boolean waits() {
        return atBarrier;
    }

    /** The place of the barrier. */
    int at() {
        return places[0];
    }

    /** Threads that have not ended. */
    int lives() {
        return Integer.bitCount(live);
    }

    /** Goes on behind the barrier. */
    void pass() {
        if (atBarrier) {
            atBarrier = false;
            places[0]++;
            waiting[0] = false;
            interval++;
            steps = 0;
        }
    }

    // ---- groups ----

    private void push(int place, int mask, boolean waits) {
        for (int g = 0; g < groups; g++) {
            if (places[g] == place) {
                masks[g] |= mask;
                waiting[g] = false;
                return;
            }
        }
        places[groups] = place;
        masks[groups] = mask;
        waiting[groups++] = waits;
    }

    private int lowest() {
        int best = -1;
        for (int g = 0; g < groups; g++) {
            if (!waiting[g] && (best < 0 || places[g] < places[best])) {
                best = g;
            }
        }
        return best;
    }

    /** Where the group that runs must look round: the next place at which another one stands, or that it must not overtake. */
    private int limit(int place) {
        int limit = Integer.MAX_VALUE;
        for (int g = 0; g < groups; g++) {
            if (!waiting[g] || places[g] > place) {
                limit = Math.min(limit, places[g]);
            }
        }
        return limit;
    }

    /** Runs until all its threads have ended or stand at a barrier. */
    void run() {
        while (live != 0 && !atBarrier) {
            int g = lowest();
            if (g < 0) {
                throw stuck();
            }
            int place = places[g];
            int mask = masks[g];
            groups--;
            places[g] = places[groups];
            masks[g] = masks[groups];
            waiting[g] = waiting[groups];
            run(place, mask, limit(place));
        }
    }

    private PtxFault stuck() {
        StringBuilder where = new StringBuilder("threads of a warp never arrive together:");
        for (int g = 0; g < groups; g++) {
            where.append(g > 0 ? ";" : "").append(" threads ").append(threads(masks[g])).append(" wait at line ").append(code[places[g]].line);
        }
        return launch.fault(PtxFault.LAUNCH, code[places[0]], where.toString(), "warp " + index);
    }

    private String threads(int mask) {
        StringBuilder list = new StringBuilder();
        for (int l = 0; l < LANES; l++) {
            if ((mask >>> l & 1) == 0) {
                continue;
            }
            int end = l;
            while (end + 1 < LANES && (mask >>> end + 1 & 1) != 0) {
                end++;
            }
            list.append(list.isEmpty() ? "" : ", ").append(index * LANES + l);
            if (end > l) {
                list.append(" to ").append(index * LANES + end);
            }
            l = end;
        }
        return list.toString();
    }

    private void run(int from, int group, int limit) {
        int place = from;
        int mask = group;
        PtxCounters counters = launch.counters;
        boolean traced = launch.traced();
        while (true) {
            if (place >= limit) {
                push(place, mask, false);
                return;
            }
            Instruction i = code[place];
            int m = mask;
            if (i.guard >= 0) {
                needTruth(i, i.guard, m);
                m &= i.guardNegated ? ~truths[i.guard] : truths[i.guard];
            }
            counters.times[place]++;
            counters.lanes[place] += Integer.bitCount(m);
            if (++steps > PATIENCE) {
                throw launch.fault(PtxFault.LAUNCH, i, "more than " + PATIENCE + " instructions without a barrier: it does not seem to end",
                        "warp " + index);
            }
            if (m == 0) {
                place++;
                continue;
            }
            switch (i.kind) {
                case LANES -> lanes(i, m);
                case COMPARE -> compare(i, m);
                case SELECT -> select(i, m);
                case TRUTH -> truth(i, m);
                case LOAD -> load(i, m);
                case STORE -> store(i, m);
                case PACK -> pack(i, m);
                case UNPACK -> unpack(i, m);
                case SWAP -> swap(i, m);
                case BRANCH -> {
                    if (m != mask) {
                        counters.splits++;
                        push(i.target, m, false);
                        push(place + 1, mask & ~m, false);
                        return;
                    }
                    boolean back = i.target <= place;
                    place = i.target;
                    if (back && groups > 0) {
                        push(place, mask, false);
                        return;
                    }
                    continue;
                }
                case RETURN -> {
                    live &= ~m;
                    // whoever waits for all that live may go on now
                    Arrays.fill(waiting, 0, groups, false);
                    mask &= ~m;
                    if (mask == 0) {
                        return;
                    }
                    limit = limit(place);
                }
                case BARRIER -> {
                    push(place, mask, true);
                    atBarrier = m == live;
                    return;
                }
                case WARP_BARRIER, SHUFFLE, BALLOT -> {
                    if (!together(i, m)) {
                        push(place, mask, true);
                        return;
                    }
                    switch (i.kind) {
                        case SHUFFLE -> shuffle(i, m);
                        case BALLOT -> ballot(i, m);
                        default -> interval++;
                    }
                }
            }
            if (traced) {
                trace(i, m);
            }
            place++;
        }
    }

    /** Whether all lanes that the instruction names, but those that ended, are here. */
    private boolean together(Instruction i, int m) {
        int slot = i.in[i.in.length - 1];
        need(i, slot, m);
        int members = (int) registers[slot][Integer.numberOfTrailingZeros(m)];
        for (int l = 0; l < LANES; l++) {
            if ((m >>> l & 1) != 0 && (int) registers[slot][l] != members) {
                throw fault(i, l, PtxFault.LAUNCH, "lanes name different members");
            }
        }
        if ((members & m) != m) {
            throw fault(i, Integer.numberOfTrailingZeros(m & ~members), PtxFault.LAUNCH,
                    "a lane takes part that is not among the members 0x" + Integer.toHexString(members));
        }
        return (members & live) == m;
    }

    // ---- faults ----

    private PtxFault fault(Instruction i, int lane, int code, String what) {
        return launch.fault(code, i, what, "thread " + (index * LANES + lane));
    }

    private void need(Instruction i, int slot, int m) {
        if ((defined[slot] & m) != m) {
            throw launch.fault(PtxFault.LAUNCH, i, "reads a register that was never written", "threads " + threads(m & ~defined[slot]));
        }
    }

    private void need(Instruction i, int m) {
        for (int slot : i.in) {
            if ((defined[slot] & m) != m) {
                need(i, slot, m);
            }
        }
    }

    private void needTruth(Instruction i, int truth, int m) {
        if ((truthDefined[truth] & m) != m) {
            throw launch.fault(PtxFault.LAUNCH, i, "reads a predicate that was never written", "threads " + threads(m & ~truthDefined[truth]));
        }
    }

    // ---- what lanes do for themselves ----

    private void lanes(Instruction i, int m) {
        need(i, m);
        int[] in = i.in;
        long[] d = registers[i.out[0]];
        long[] a = registers[in[0]];
        long[] b = in.length > 1 ? registers[in[1]] : null;
        long[] c = in.length > 2 ? registers[in[2]] : null;
        long[] e = in.length > 3 ? registers[in[3]] : null;
        try {
            if ((m | ~live) == -1) {
                i.loop.run(m, d, a, b, c, e);
            } else {
                i.loop.run(m, partial, a, b, c, e);
                for (int l = 0; l < LANES; l++) {
                    d[l] = (m >>> l & 1) != 0 ? partial[l] : d[l];
                }
            }
        } catch (ArithmeticException by) {
            throw launch.fault(PtxFault.LAUNCH, i, by.getMessage(), "warp " + index);
        }
        defined[i.out[0]] |= m;
    }

    private void setTruth(int truth, int m, int value) {
        truths[truth] = truths[truth] & ~m | value & m;
        truthDefined[truth] |= m;
    }

    private void compare(Instruction i, int m) {
        need(i, m);
        setTruth(i.truthOut, m, i.comparison.run(registers[i.in[0]], registers[i.in[1]]));
    }

    private void select(Instruction i, int m) {
        needTruth(i, i.truths[0], m);
        int truth = truths[i.truths[0]];
        // the number that is not chosen may be none
        need(i, i.in[0], m & truth);
        need(i, i.in[1], m & ~truth);
        long[] d = registers[i.out[0]];
        long[] a = registers[i.in[0]];
        long[] b = registers[i.in[1]];
        for (int l = 0; l < LANES; l++) {
            long chosen = (truth >>> l & 1) != 0 ? a[l] : b[l];
            d[l] = (m >>> l & 1) != 0 ? chosen : d[l];
        }
        defined[i.out[0]] |= m;
    }

    private void truth(Instruction i, int m) {
        for (int truth : i.truths) {
            if (truth >= 0) {
                needTruth(i, truth, m);
            }
        }
        int a = i.truths[0] < 0 ? i.truth : truths[i.truths[0]];
        int b = i.truths.length < 2 ? 0 : truths[i.truths[1]];
        setTruth(i.truthOut, m, switch (i.bytes) {
            case 0 -> a;
            case 1 -> ~a;
            case 2 -> a & b;
            case 3 -> a | b;
            default -> a ^ b;
        });
    }

    private void pack(Instruction i, int m) {
        need(i, m);
        long[] low = registers[i.in[0]];
        long[] high = registers[i.in[1]];
        for (int l = 0; l < LANES; l++) {
            if ((m >>> l & 1) != 0) {
                registers[i.out[0]][l] = LaneOps.u(low[l]) | high[l] << 32;
            }
        }
        defined[i.out[0]] |= m;
    }

    private void unpack(Instruction i, int m) {
        need(i, m);
        for (int l = 0; l < LANES; l++) {
            if ((m >>> l & 1) != 0) {
                long whole = registers[i.in[0]][l];
                registers[i.out[0]][l] = LaneOps.u(whole);
                registers[i.out[1]][l] = whole >>> 32;
            }
        }
        defined[i.out[0]] |= m;
        defined[i.out[1]] |= m;
    }

    // ---- what lanes do together ----

    // The lane whose number differs by the given bits; out of its segment a lane gets its own value (PTX ISA, shfl.sync).
    private void shuffle(Instruction i, int m) {
        need(i, m);
        long[] value = registers[i.in[0]].clone();
        int inside = 0;
        for (int l = 0; l < LANES; l++) {
            if ((m >>> l & 1) == 0) {
                continue;
            }
            int c = (int) registers[i.in[2]][l];
            int segment = c >>> 8 & 31;
            int most = l & segment | c & 31 & ~segment;
            int from = l ^ (int) registers[i.in[1]][l] & 31;
            if (from <= most) {
                inside |= 1 << l;
            } else {
                from = l;
            }
            if ((m >>> from & 1) == 0) {
                throw fault(i, l, PtxFault.LAUNCH, "takes the value of thread " + (index * LANES + from) + ", which does not take part");
            }
            registers[i.out[0]][l] = value[from];
        }
        defined[i.out[0]] |= m;
        if (i.truthOut >= 0) {
            setTruth(i.truthOut, m, inside);
        }
    }

    private void ballot(Instruction i, int m) {
        needTruth(i, i.truths[0], m);
        for (int l = 0; l < LANES; l++) {
            if ((m >>> l & 1) != 0) {
                registers[i.out[0]][l] = LaneOps.u(truths[i.truths[0]] & m);
            }
        }
        defined[i.out[0]] |= m;
    }

    // ---- memory ----

    private void load(Instruction i, int m) {
        need(i, m);
        switch (i.space) {
            case GLOBAL -> loadGlobal(i, m);
            case SHARED -> loadShared(i, m);
            case PARAM -> loadParameter(i, m);
        }
        for (int slot : i.out) {
            defined[slot] |= m;
        }
    }

    private void store(Instruction i, int m) {
        need(i, m);
        if (i.space == Instruction.Space.GLOBAL) {
            storeGlobal(i, m);
        } else {
            storeShared(i, m);
        }
    }

    private PtxFault misaligned(Instruction i, int lane, long address, int bytes) {
        return fault(i, lane, PtxFault.ALIGNMENT, "address 0x" + Long.toHexString(address) + " is no multiple of " + bytes + " bytes");
    }

    private DeviceMemory.Allocation allocation(Instruction i, int lane, long address, int bytes) {
        if (address % bytes != 0) {
            throw misaligned(i, lane, address, bytes);
        }
        DeviceMemory.Allocation met = i.met;
        if (met == null || met.of != launch.memory || !met.holds(address, bytes)) {
            met = launch.memory.find(address, bytes);
            if (met == null) {
                throw fault(i, lane, PtxFault.ADDRESS, launch.memory.where(address, bytes));
            }
            i.met = met;
        }
        return met;
    }

    private void loadGlobal(Instruction i, int m) {
        int bytes = i.bytes;
        int all = bytes * i.out.length;
        long[] base = registers[i.in[0]];
        for (int l = 0; l < LANES; l++) {
            if ((m >>> l & 1) == 0) {
                continue;
            }
            long address = base[l] + i.offset;
            DeviceMemory.Allocation from = allocation(i, l, address, all);
            int at = (int) (address - from.base);
            for (int slot : i.out) {
                if (!DeviceMemory.written(from.written, at, bytes)) {
                    throw fault(i, l, PtxFault.LAUNCH, "reads " + bytes + " bytes of memory that nobody wrote: "
                            + launch.memory.where(from.base + at, bytes));
                }
                registers[slot][l] = DeviceMemory.load(from.data, at, bytes, i.signed);
                at += bytes;
            }
        }
    }

    private void storeGlobal(Instruction i, int m) {
        int bytes = i.bytes;
        int all = bytes * (i.in.length - 1);
        long[] base = registers[i.in[0]];
        for (int l = 0; l < LANES; l++) {
            if ((m >>> l & 1) == 0) {
                continue;
            }
            long address = base[l] + i.offset;
            DeviceMemory.Allocation to = allocation(i, l, address, all);
            int at = (int) (address - to.base);
            for (int k = 1; k < i.in.length; k++) {
                DeviceMemory.store(to.data, at, bytes, registers[i.in[k]][l]);
                DeviceMemory.mark(to.written, at, bytes);
                at += bytes;
            }
        }
    }

    private void swap(Instruction i, int m) {
        need(i, m);
        for (int l = 0; l < LANES; l++) {
            if ((m >>> l & 1) == 0) {
                continue;
            }
            long address = registers[i.in[0]][l] + i.offset;
            DeviceMemory.Allocation at = allocation(i, l, address, i.bytes);
            int offset = (int) (address - at.base);
            if (!DeviceMemory.written(at.written, offset, i.bytes)) {
                throw fault(i, l, PtxFault.LAUNCH, "reads memory that nobody wrote: " + launch.memory.where(address, i.bytes));
            }
            long old = DeviceMemory.load(at.data, offset, i.bytes, false);
            if (old == registers[i.in[1]][l]) {
                DeviceMemory.store(at.data, offset, i.bytes, registers[i.in[2]][l]);
            }
            registers[i.out[0]][l] = old;
        }
        defined[i.out[0]] |= m;
    }

    private int sharedAddress(Instruction i, int lane, int bytes) {
        long address = LaneOps.u(registers[i.in[0]][lane]) + i.offset;
        if (address < 0 || address + bytes > launch.sharedBytes) {
            throw fault(i, lane, PtxFault.ADDRESS, bytes + " bytes at " + address + " are outside the " + launch.sharedBytes
                    + " bytes of shared memory");
        }
        if (address % bytes != 0) {
            throw misaligned(i, lane, address, bytes);
        }
        return (int) address;
    }

    private PtxFault race(Instruction i, int lane, int word, int other, String what) {
        int own = index * LANES + lane;
        return fault(i, lane, PtxFault.LAUNCH, other == -2 ? "reads shared memory at " + 4 * word + " that nobody of its block wrote"
                : what + " shared memory at " + 4 * word + ", which " + (other == own ? "other threads have read" : "thread " + other
                + " touched") + " with no barrier between");
    }

    private void loadShared(Instruction i, int m) {
        SharedMemory shared = launch.shared;
        int bytes = i.bytes;
        int all = bytes * i.out.length;
        for (int l = 0; l < LANES; l++) {
            if ((m >>> l & 1) == 0) {
                continue;
            }
            int at = sharedAddress(i, l, all);
            long mark = SharedMemory.mark(launch.interval, interval, index * LANES + l);
            for (int word = at / 4; word < (at + all) / 4; word++) {
                int other = shared.read(word, mark);
                if (other != -1) {
                    throw race(i, l, word, other, "reads");
                }
            }
            for (int slot : i.out) {
                registers[slot][l] = DeviceMemory.load(shared.data, at, bytes, i.signed);
                at += bytes;
            }
        }
    }

    private void storeShared(Instruction i, int m) {
        SharedMemory shared = launch.shared;
        int bytes = i.bytes;
        int all = bytes * (i.in.length - 1);
        for (int l = 0; l < LANES; l++) {
            if ((m >>> l & 1) == 0) {
                continue;
            }
            int at = sharedAddress(i, l, all);
            long mark = SharedMemory.mark(launch.interval, interval, index * LANES + l);
            for (int word = at / 4; word < (at + all) / 4; word++) {
                int other = shared.write(word, mark);
                if (other != -1) {
                    throw race(i, l, word, other, "writes");
                }
            }
            for (int k = 1; k < i.in.length; k++) {
                DeviceMemory.store(shared.data, at, bytes, registers[i.in[k]][l]);
                at += bytes;
            }
        }
    }

    private void loadParameter(Instruction i, int m) {
        int all = i.bytes * i.out.length;
        for (int l = 0; l < LANES; l++) {
            if ((m >>> l & 1) == 0) {
                continue;
            }
            long address = registers[i.in[0]][l] + i.offset - PtxDecoder.PARAMETERS;
            if (address < 0 || address + all > launch.parameters.length) {
                throw fault(i, l, PtxFault.ADDRESS, all + " bytes at " + address + " are outside the " + launch.parameters.length
                        + " bytes of parameters");
            }
            if (address % all != 0) {
                throw misaligned(i, l, address, all);
            }
            int at = (int) address;
            for (int slot : i.out) {
                registers[slot][l] = DeviceMemory.load(launch.parameters, at, i.bytes, i.signed);
                at += i.bytes;
            }
        }
    }

    // ---- telling ----

    private void trace(Instruction i, int m) {
        int lane = launch.trace.thread() - index * LANES;
        if (lane < 0 || lane >= LANES || (m >>> lane & 1) == 0) {
            return;
        }
        StringBuilder line = new StringBuilder(String.format("%6d  %-60s", i.line, i.text));
        for (int slot : i.out) {
            long bits = registers[slot][lane];
            line.append(i.opcode.contains("f32") ? "  " + LaneOps.f(bits) : i.opcode.contains("f64") ? "  " + LaneOps.d(bits) : "  " + bits);
        }
        if (i.truthOut >= 0) {
            line.append((truths[i.truthOut] >>> lane & 1) != 0 ? "  true" : "  false");
        }
        launch.trace.out().accept(line.toString().stripTrailing());
    }
}
