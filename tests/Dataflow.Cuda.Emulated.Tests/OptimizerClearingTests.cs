using Dataflow.Model;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>Optimizer state may be most of a machine's memory: all cores clear it, and all of it.</summary>
public sealed class OptimizerClearingTests
{
    [Fact]
    public void Several_threads_clear_optimizer_state_and_every_byte_of_it()
    {
        var plan = TinyTraining.Plan();
        using var device = new Meeting(plan.Schedule);
        new Trainer(plan.Workload, plan.Schedule, device).Load(WeightInitialiser.Weights(plan.Workload.Model, 1));
        Assert.True(device.Met, "two threads were never within a write at once");
        foreach (var (slot, written) in device.Written)
        {
            long at = 0;
            foreach (var (offset, length) in written.Order())
            {
                Assert.Equal(at, offset);
                at = offset + length;
            }

            Assert.Equal(device.LengthOf(slot), at);
        }
    }

    /// <summary>Holds the first write of optimizer state until another comes in beside it.</summary>
    private sealed class Meeting : IDevice
    {
        private readonly Dictionary<int, long> lengths;
        private readonly ManualResetEventSlim met = new();
        private readonly Lock gate = new();
        private int inside;
        private bool alone;

        public Meeting(Schedule schedule)
        {
            lengths = schedule.State.Where(p => schedule.Objects[p.Object].Name.StartsWith("O/", StringComparison.Ordinal))
                .ToDictionary(p => p.Slot, p => schedule.Objects[p.Object].Length.Value);
            Written = lengths.Keys.ToDictionary(s => s, _ => new List<(long, long)>());
        }

        public bool Met => met.IsSet;

        public Dictionary<int, List<(long Offset, long Length)>> Written { get; }

        public string Name => "meeting";

        public long LengthOf(int slot) => lengths[slot];

        public void Write(int slot, Bytes offset, ReadOnlySpan<byte> source)
        {
            // Master weights are written there once more after they were cleared.
            if (!lengths.ContainsKey(slot) || source.ContainsAnyExcept((byte)0))
            {
                return;
            }

            lock (gate)
            {
                Written[slot].Add((offset.Value, source.Length));
            }

            if (Interlocked.Increment(ref inside) > 1)
            {
                met.Set();
            }
            else if (!alone)
            {
                alone = !met.Wait(TimeSpan.FromMinutes(1)); // once is enough where nobody comes
            }

            Interlocked.Decrement(ref inside);
        }

        public IDevice For(Schedule schedule, Workload workload) => throw new NotSupportedException();

        public void BeginStep(in StepArguments arguments) => throw new NotSupportedException();

        public void Wait(int stream, Wait wait) => throw new NotSupportedException();

        public void Launch(int op) => throw new NotSupportedException();

        public void Synchronize() => throw new NotSupportedException();

        public void Read(int slot, Bytes offset, Span<byte> destination) => throw new NotSupportedException();

        public void Dispose() => met.Dispose();
    }
}
