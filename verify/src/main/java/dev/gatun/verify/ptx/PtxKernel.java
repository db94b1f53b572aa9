package dev.gatun.verify.ptx;

import java.util.List;
import java.util.Map;

/** A kernel of a text, decoded. Slots below {@link #registers} are registers; behind them lie special ones and constants. */
public final class PtxKernel {

    /** Special registers, filled when a block begins. */
    static final List<String> SPECIAL = List.of(
            "%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z",
            "%ctaid.x", "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid");

    /**
     * A parameter.
     *
     * @param offset where it lies in the block of all parameters
     * @param bytes its size
     */
    record Parameter(int offset, int bytes) {}

    final String name;
    final Map<String, Parameter> parameters;
    final int parameterBytes;
    final Instruction[] code;
    final int registers;
    final int predicates;
    final long[] constants;

    /** Bytes of shared memory that the text declares; dynamic memory begins behind them. */
    final int sharedBytes;

    /** The most threads that a block may have. */
    final int mostThreads;

    PtxKernel(
            String name, Map<String, Parameter> parameters, int parameterBytes, Instruction[] code, int registers, int predicates,
            long[] constants, int sharedBytes, int mostThreads) {
        this.name = name;
        this.parameters = parameters;
        this.parameterBytes = parameterBytes;
        this.code = code;
        this.registers = registers;
        this.predicates = predicates;
        this.constants = constants;
        this.sharedBytes = sharedBytes;
        this.mostThreads = mostThreads;
    }

    int slots() {
        return registers + SPECIAL.size() + constants.length;
    }

    /** Its name in the text. */
    public String name() {
        return name;
    }

    /** How many instructions it has. */
    public int instructions() {
        return code.length;
    }

    @Override
    public String toString() {
        return name;
    }
}
