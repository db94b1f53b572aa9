package dev.gatun.verify.ptx;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;

/**
 * A GPU that is none: it executes PTX on the CPU, thread for thread, and refuses what a real one would let pass. For
 * learning and for finding mistakes:
 *
 * {@snippet :
 * EmulatedGpu gpu = new EmulatedGpu(80, 1 << 20);
 * long x = gpu.memory().allocate(400);
 * PtxKernel kernel = PtxModule.of(text).kernel("twice");
 * gpu.launch(kernel, 4, 32, parameters);   // a PtxFault when it does what it must not do
 * System.out.println(gpu.counters());
 * }
 *
 * <p>Found are: addresses outside of memory, behind it or in memory that was freed; misaligned ones; reads of registers,
 * global and shared memory that nobody wrote; accesses of shared memory without a barrier between; barriers that not all
 * threads reach; division of whole numbers by zero; kernels that do not end. Not modelled: time, races of blocks in
 * global memory, and the order in which a real device executes blocks and warps.
 */
public final class EmulatedGpu {

    private final int capability;
    private final DeviceMemory memory;
    private final Map<PtxKernel, PtxCounters> counters = new LinkedHashMap<>();
    private Random order;
    private Launch.Trace trace;

    /** A device of a compute capability, 80 for 8.0, with so many bytes of memory. */
    public EmulatedGpu(int capability, long bytes) {
        this(capability, bytes, 0);
    }

    EmulatedGpu(int capability, long bytes, int ordinal) {
        this.capability = capability;
        this.memory = new DeviceMemory(bytes, ordinal);
    }

    /** Its compute capability: 80 for 8.0. */
    public int capability() {
        return capability;
    }

    /** Its memory. */
    public DeviceMemory memory() {
        return memory;
    }

    /** From now on blocks, and the warps of a block, take their turns in an order that the seed decides. */
    public void shuffle(long seed) {
        order = new Random(seed);
    }

    /** Tells every step of one thread of one block, in the launches to come. */
    public void trace(int block, int thread, Consumer<String> out) {
        trace = new Launch.Trace(block, thread, out);
    }

    /** What kernels did so far, in the order of their first launch. */
    public synchronized Map<PtxKernel, PtxCounters> counters() {
        return Map.copyOf(counters);
    }

    /**
     * Runs a kernel to its end on blocks in a row.
     *
     * @param parameters as they lie in memory, each at a multiple of its size
     * @throws PtxFault when it does what it must not do
     */
    public void launch(PtxKernel kernel, int blocks, int threads, byte[] parameters) {
        launch(kernel, new Launch.Grid(blocks, 1, 1, threads, 1, 1), 0, parameters);
    }

    synchronized void launch(PtxKernel kernel, Launch.Grid grid, int dynamicShared, byte[] parameters) {
        if (grid.threads() > kernel.mostThreads) {
            throw new IllegalArgumentException("ptx: " + kernel.name + " takes at most " + kernel.mostThreads + " threads a block, asked are "
                    + grid.threads());
        }
        PtxCounters counted = counters.computeIfAbsent(kernel, PtxCounters::new);
        counted.launches++;
        new Launch(kernel, grid, dynamicShared, parameters, memory, counted, order, trace).run();
    }
}
