package dev.gatun.verify.ptx;

/** A kernel did what no kernel may do. The message is the report: what, the line of PTX, the block and the threads. */
public final class PtxFault extends RuntimeException {

    private static final long serialVersionUID = 1;

    /** CUDA's code for an address that is none. */
    static final int ADDRESS = 700;

    /** CUDA's code for an address that is not a multiple of the access's size. */
    static final int ALIGNMENT = 716;

    /** CUDA's code for every other failure of a launch; the checks' findings use it too. */
    static final int LAUNCH = 719;

    private final int code;

    PtxFault(int code, String report) {
        super(report);
        this.code = code;
    }

    /** What the CUDA driver would return for it: 700, 716 or 719. */
    public int code() {
        return code;
    }
}
