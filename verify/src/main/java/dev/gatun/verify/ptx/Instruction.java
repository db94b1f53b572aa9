package dev.gatun.verify.ptx;

/** An instruction with everything found out that can be known before it runs: which registers, which lane loop, where to go. */
final class Instruction {

    /** What has to be done, beyond a loop over lanes. */
    enum Kind { LANES, COMPARE, SELECT, TRUTH, BRANCH, RETURN, BARRIER, WARP_BARRIER, SHUFFLE, BALLOT, LOAD, STORE, SWAP, PACK, UNPACK }

    enum Space { GLOBAL, SHARED, PARAM }

    static final int[] NONE = {};

    final Kind kind;
    final String opcode;
    final int line;
    final String text;

    /** Predicate register that decides which lanes take part; -1 for all. */
    int guard = -1;
    boolean guardNegated;

    /** Slots of registers and constants read, in the order of the text. */
    int[] in = NONE;

    /** Slots of registers written. */
    int[] out = NONE;

    /** Predicate registers read; -1 stands for a constant that {@link #truth} has. */
    int[] truths = NONE;

    /** Predicate register written; -1 for none. */
    int truthOut = -1;

    LaneOps.Loop loop;
    LaneOps.Comparison comparison;

    /** A constant predicate, all lanes as bits. */
    int truth;

    /** Where a branch goes. */
    int target;

    Space space;

    /** Bytes of an element of memory; which operation on predicates: move, not, and, or, xor. */
    int bytes;
    boolean signed;

    /** What is added to an address. */
    long offset;

    /** The allocation that this instruction met last: most often it meets it again. */
    DeviceMemory.Allocation met;

    Instruction(Kind kind, String opcode, int line, String text) {
        this.kind = kind;
        this.opcode = opcode;
        this.line = line;
        this.text = text;
    }
}
