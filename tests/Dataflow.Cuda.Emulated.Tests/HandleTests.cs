using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda.Emulated.Tests;

/// <summary>The wrappers over the emulated driver: what they own, in which order it may go, and what their failures say.</summary>
public sealed class HandleTests : IDisposable
{
    private static readonly Bytes Small = new(4096);
    private readonly CudaContext context = CudaContext.Open(EmulatedDriver.Gpu);

    public void Dispose() => context.Dispose();

    [Fact]
    public void The_GPU_describes_itself()
    {
        var gpu = EmulatedDriver.Gpu;
        Assert.Equal(new ComputeCapability(9, 0), gpu.Capability);
        Assert.True(
            gpu is { Multiprocessors: > 0, CopyEngines: > 0 } && gpu.Memory > Bytes.Zero && gpu.SharedMemoryPerBlock > Bytes.Zero,
            gpu.ToString()
        );
        Assert.Matches("^GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", gpu.Uuid);
        Assert.Matches("^[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}.[0-9a-fA-F]$", gpu.PciBusId);
        Assert.True(CudaGpu.DriverVersion().Major >= 12);
    }

    [Fact]
    public void Bytes_go_to_the_device_and_come_back()
    {
        using var memory = DeviceMemory.Allocate(context, Small, "a test");
        byte[] sent = [.. Enumerable.Range(0, 4096).Select(i => (byte)(i * 7))];
        memory.Write(Bytes.Zero, sent);
        byte[] back = new byte[100];
        memory.Read(new Bytes(1000), back);
        Assert.Equal(sent[1000..1100], back);
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.Write(new Bytes(1), sent));
        Assert.Equal(Small, memory.Length);
    }

    [Fact]
    public void What_was_written_from_ordinary_memory_is_there_for_every_stream_and_a_copy_that_is_not_waited_for_is_found()
    {
        using var memory = DeviceMemory.Allocate(context, Small, "a test");
        using var copy = DeviceMemory.Allocate(context, Small, "a test");
        using var stream = CudaStream.Create(context);
        byte[] sent = [.. Enumerable.Range(0, 4096).Select(i => (byte)(i * 7))];
        memory.Write(Bytes.Zero, sent);
        stream.CopyOnDevice(copy.Start, memory.Start, Small);
        stream.Synchronize();
        byte[] back = new byte[4096];
        copy.Read(Bytes.Zero, back);
        Assert.Equal(sent, back);

        // The same without the wait.
        unsafe
        {
            fixed (byte* from = sent)
            {
                Assert.Equal(DriverStatus.Success, DriverApi.cuMemcpyHtoD_v2(memory.Start, from, (nuint)sent.Length));
            }
        }

        stream.CopyOnDevice(copy.Start, memory.Start, Small);
        var found = Assert.Throws<CudaException>(stream.Synchronize);
        Assert.Contains("nothing orders the two", found.Message, StringComparison.Ordinal);
        CudaEmulation.ClearError();
    }

    [Fact]
    public void Copies_that_cross_pinned_pieces_are_split_and_whole()
    {
        Bytes length = new((5 << 20) + 4096), piece = new(2 << 20);
        using var stream = CudaStream.Create(context);
        using var from = PinnedMemory.Allocate(context, length, new PinnedMemoryOptions("a test", 2, piece));
        using var to = PinnedMemory.Allocate(context, length, new PinnedMemoryOptions("a test", 1, piece));
        using var device = DeviceMemory.Allocate(context, length, "a test");
        new Random(1).NextBytes(from.Range(Bytes.Zero, (int)length.Value));
        Bytes offset = new(16), middle = length - new Bytes(32);
        stream.CopyToDevice(device.Start, from, offset, middle);
        stream.CopyToHost(to, offset, device.Start, middle);
        stream.Synchronize();
        Assert.True(from.Range(offset, (int)middle.Value).SequenceEqual(to.Range(offset, (int)middle.Value)));
        Assert.Equal(0, to.Range(Bytes.Zero, 16).ToArray().Sum(b => b));
        Assert.Throws<ArgumentOutOfRangeException>(() => from.Range(length, 1));
    }

    [Fact]
    public void A_kernel_is_loaded_launched_and_waited_for_by_another_stream()
    {
        using var first = CudaStream.Create(context);
        using var second = CudaStream.Create(context, priority: -1);
        using var done = CudaEvent.Create(context);
        using var memory = DeviceMemory.Allocate(context, Small, "a test");
        using var module = KernelImages.Emulated(EmulatedDriver.Folder).Load(context, "zero");
        var zero = module.Function("zero_bytes");
        first.Fill32(memory.Start, 0x01020304, 1024);
        zero.Launch(first, new LaunchShape(1, 256), memory.Start, 2048L);
        first.Record(done);
        second.Wait(done);
        second.CopyOnDevice(memory.Start + new Bytes(3072), memory.Start, new Bytes(16));
        second.Synchronize();
        Assert.True(done.HasCompleted() && first.IsIdle() && second.IsIdle());
        byte[] back = new byte[4096];
        memory.Read(Bytes.Zero, back);
        Assert.All(back[..2048], b => Assert.Equal(0, b));
        Assert.Equal([4, 3, 2, 1], back[2048..2052]);
        Assert.All(back[3072..3088], b => Assert.Equal(0, b));
        Assert.Equal(1, back[4095]);
        Assert.True(zero.MaxThreads >= 256);
    }

    [Fact]
    public void Events_with_timing_tell_the_time_between_them()
    {
        using var stream = CudaStream.Create(context);
        using var start = CudaEvent.Create(context, EventTiming.On);
        using var end = CudaEvent.Create(context, EventTiming.On);
        stream.Record(start);
        stream.Record(end);
        end.Synchronize();
        Assert.True(end.MillisecondsSince(start) >= 0);
    }

    [Fact]
    public void What_a_launch_costs_is_measured_between_events_around_two_thousand_kernels()
    {
        long before = CudaEmulation.Get("kernels");
        var cost = LaunchCost.Measure(context, KernelImages.Emulated(EmulatedDriver.Folder));
        Assert.Equal(LaunchCost.Launches, cost.Kernels);
        Assert.True(CudaEmulation.Get("kernels") - before >= LaunchCost.Launches);
        Assert.True(cost is { GpuSeconds: > 0, HostSeconds: > 0 });
    }

    [Fact]
    public void An_entry_point_that_is_not_there_is_named()
    {
        using var module = KernelImages.Emulated(EmulatedDriver.Folder).Load(context, "zero");
        var missing = Assert.Throws<CudaException>(() => module.Function("zero_everything"));
        Assert.Equal("CUDA_ERROR_NOT_FOUND", missing.Status);
        Assert.Contains("looking for zero_everything among the kernels of zero failed: ", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_memory_than_there_is_is_refused_with_what_is_free_and_what_to_do()
    {
        var full = Assert.Throws<CudaException>(() => DeviceMemory.Allocate(context, new Bytes(1L << 45), "the device arena"));
        Assert.Equal("CUDA_ERROR_OUT_OF_MEMORY", full.Status);
        Assert.Matches(
            @"^taking .* of device memory for the device arena failed: .* "
                + @"are free on .*: end what else uses it, or give a smaller --device-memory$",
            full.Message
        );
    }

    [Fact]
    public void More_host_memory_than_the_machine_has_is_refused_before_it_is_touched()
    {
        var full = Assert.Throws<MachineException>(() =>
            PinnedMemory.Allocate(context, new Bytes(1L << 50), PinnedMemoryOptions.For("the host arena"))
        );
        Assert.StartsWith("the host arena takes ", full.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("host_registration", 0)]
    [InlineData("pinned_limit", 1 << 20)]
    public void Memory_that_may_not_be_pinned_is_refused_with_the_limit_and_how_to_raise_it(string option, long value)
    {
        CudaEmulation.Set(option, value);
        try
        {
            var refused = Assert.Throws<CudaException>(() =>
                PinnedMemory.Allocate(context, new Bytes(6 << 20), new PinnedMemoryOptions("the host arena", 2, new Bytes(2 << 20)))
            );
            Assert.Matches(
                @"^pinning 2.00 MiB of the 6.00 MiB of the host arena failed: .*; "
                    + @"the limit of locked memory is .* \(`ulimit -l`\): raise it",
                refused.Message
            );
        }
        finally
        {
            CudaEmulation.Set(option, option == "pinned_limit" ? long.MaxValue : 1);
        }

        // What was pinned before the failure was given back: pinning the same amount works.
        PinnedMemory.Allocate(context, new Bytes(6 << 20), new PinnedMemoryOptions("the host arena", 2, new Bytes(2 << 20))).Dispose();
    }

    [Theory]
    [InlineData(6 << 20, 1 << 20, 64 << 20)]
    [InlineData(6 << 20, 64 << 20, 64 << 20)]
    [InlineData((6 << 20) + 4096, 7 << 20, 7 << 20)]
    [InlineData(6 << 20, 2 << 20, 3 << 20)]
    [InlineData(4096, 1 << 20, 8 << 20)]
    public void What_the_driver_pins_is_found_and_given_back(long limit, long first, long wanted)
    {
        CudaEmulation.Set("pinned_limit", limit);
        try
        {
            for (int again = 0; again < 2; again++)
            {
                long most = PinnableMemory.Most(context, new Bytes(first), new Bytes(wanted)).Value;
                Assert.InRange(most, Math.Max(0, Math.Min(limit, wanted) - (128 << 10)), Math.Min(limit, wanted));
            }
        }
        finally
        {
            CudaEmulation.Set("pinned_limit", long.MaxValue);
        }
    }

    [Fact]
    public void Parents_may_be_disposed_of_before_their_children()
    {
        var other = CudaContext.Open(EmulatedDriver.Gpu);
        var stream = CudaStream.Create(other);
        var memory = DeviceMemory.Allocate(other, Small, "a test");
        other.Dispose();
        stream.Fill(memory.Start, 3, Small);
        stream.Synchronize();
        stream.Dispose();
        byte[] back = new byte[1];
        memory.Read(Bytes.Zero, back);
        Assert.Equal(3, back[0]);
        memory.Dispose();
        Assert.Throws<ObjectDisposedException>(() => stream.Synchronize());
    }

    [Fact]
    public void Free_memory_falls_by_what_is_taken_and_rises_again()
    {
        Bytes before = context.Memory().Free;
        using (DeviceMemory.Allocate(context, new Bytes(1 << 20), "a test"))
        {
            Assert.True(context.Memory().Free <= before - new Bytes(1 << 20));
        }

        Assert.Equal(before, context.Memory().Free);
    }

    [Fact]
    public void Launches_copies_and_waits_allocate_nothing()
    {
        using var stream = CudaStream.Create(context);
        using var done = CudaEvent.Create(context);
        using var pinned = PinnedMemory.Allocate(context, Small, PinnedMemoryOptions.For("a test"));
        using var memory = DeviceMemory.Allocate(context, Small, "a test");
        using var module = KernelImages.Emulated(EmulatedDriver.Folder).Load(context, "zero");
        var zero = module.Function("zero_bytes");
        long allocated = 0;
        for (int i = 0; i < 3; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            zero.Launch(stream, new LaunchShape(1, 256), memory.Start, Small.Value);
            stream.CopyToHost(pinned, Bytes.Zero, memory.Start, Small);
            stream.CopyToDevice(memory.Start, pinned, Bytes.Zero, Small);
            stream.Record(done);
            stream.Wait(done);
            stream.Synchronize();
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.Equal(0, allocated);
    }
}
