/** What every tensor can do: numbers off-heap, a closed algebra, one door for every op. */
module dev.gatun.engine {
    requires transitive dev.gatun.bindings;
    requires jdk.incubator.vector;
    // To keep large kernels off the first compiler; without them everything works, later.
    requires static java.management;
    requires static jdk.management;

    exports dev.gatun.engine;
    exports dev.gatun.engine.algebra;
    exports dev.gatun.engine.cuda;
    exports dev.gatun.engine.lanes;
    exports dev.gatun.engine.memory;
    exports dev.gatun.engine.onednn;
}
