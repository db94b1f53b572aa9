/** Native libraries, spelled in Java. Knows nothing of tensors and could be used alone. */
module dev.gatun.bindings {
    exports dev.gatun.bindings;
    exports dev.gatun.bindings.cuda;
    exports dev.gatun.bindings.onednn;

    uses dev.gatun.bindings.cuda.EmulatedCuda;
}
