using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cli.Tests;

/// <summary>Each finding leads to the right status, and what is not well says what to do.</summary>
public class DiagnosisTests
{
    private const string MemInfo =
        "MemTotal:       33554432 kB\nMemAvailable:   16777216 kB\nHugePages_Total:       0\nHugepagesize:       2048 kB\n";

    /// <summary>A small server without a GPU where all else is well.</summary>
    private static MachineFacts Plain { get; } =
        new()
        {
            Processors = 8,
            VectorBits = 256,
            CpuInfo = "processor\t: 0\nmodel name\t: A Processor @ 3 GHz\n",
            MemInfo = MemInfo,
            Memory = MachineMemory.Of(new Bytes(32L << 30), new Bytes(16L << 30), [], null),
            Limits = "Max locked memory         unlimited            unlimited            bytes",
            Status = "CapEff:\t0000000000000000",
            Pinned = new PinningTrial(new Bytes(2L << 30), new Bytes(2L << 30), null),
            HugePages = "[always] madvise never",
            Libraries =
            [
                new LibraryFinding("driver", "any GPU run", ["libcuda.so.1"], null),
                new LibraryFinding("nvrtc", "compiling", ["libnvrtc.so.13", "libnvrtc.so.12"], null),
            ],
            Gpus = new GpuReading([], null, "no driver"),
            DemoText = "data/kjv.txt",
            DemoTextSource = "a bible",
            Profiles = HardwareFiles.All(),
        };

    private static Check Look(string name, MachineFacts facts) => Assert.Single(Diagnosis.Of(facts), c => c.Name == name);

    private static void Expect(CheckStatus status, string finding, Check check)
    {
        Assert.Equal(status, check.Status);
        Assert.Contains(finding, check.Finding, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_well_says_what_to_do()
    {
        MachineFacts bare = new()
        {
            Processors = 1,
            VectorBits = 128,
            Pinned = new PinningTrial(Bytes.Zero, Bytes.Zero, "no"),
            Libraries = Plain.Libraries,
            Gpus = Plain.Gpus,
            Profiles = [],
            ProfilesFault = "missing",
        };
        foreach (var check in Diagnosis.Of(bare).Concat(Diagnosis.Of(Plain)))
        {
            Assert.True(check.Status == CheckStatus.Ok == (check.Advice.Length == 0), $"{check.Name}: {check.Finding}: {check.Advice}");
        }

        Assert.DoesNotContain(Diagnosis.Of(bare), c => c.Status == CheckStatus.Ok);
    }

    [Fact]
    public void Cores_are_named_and_narrow_vectors_warned_of()
    {
        Assert.Equal(
            new Check("cores", CheckStatus.Ok, "8 cores of A Processor @ 3 GHz, vectors of 256 bits (AVX2)"),
            Look("cores", Plain)
        );
        Expect(CheckStatus.Ok, "512 bits (AVX-512)", Look("cores", Plain with { VectorBits = 512 }));
        Expect(
            CheckStatus.Warn,
            "1 core, vectors of 128 bits",
            Look("cores", Plain with { VectorBits = 128, Processors = 1, CpuInfo = null })
        );
    }

    [Fact]
    public void The_tightest_control_group_decides_what_memory_there_is()
    {
        Expect(CheckStatus.Ok, "32.000 GiB in all, 16.000 GiB to be had; no control group limits it", Look("memory", Plain));
        GroupLimit[] groups = [new("/a/", new Bytes(4L << 30), new Bytes(3L << 30)), new("/", new Bytes(64L << 30), Bytes.Zero)];
        var limited = Plain with { Memory = MachineMemory.Of(new Bytes(32L << 30), new Bytes(16L << 30), groups, null) };
        Expect(
            CheckStatus.Warn,
            "32.000 GiB in all, 1.000 GiB to be had; the control group /a/ allows 4.000 GiB and uses 3.000 GiB",
            Look("memory", limited)
        );
    }

    [Fact]
    public void Memory_that_grows_is_warned_of()
    {
        var growing = Plain with
        {
            Memory = MachineMemory.Of(new Bytes(32L << 30), new Bytes(16L << 30), [], new MemoryGrowth("a sign", null)),
        };
        Expect(CheckStatus.Warn, "16.000 GiB to be had; no control group limits it; it may grow: a sign", Look("memory", growing));
    }

    [Fact]
    public void A_small_limit_of_locked_memory_matters_unless_it_does_not_bind()
    {
        const string small = "Max locked memory         8388608              8388608              bytes";
        Expect(CheckStatus.Ok, "no limit", Look("locked-memory", Plain));
        Expect(CheckStatus.Warn, "limit 8.00 MiB", Look("locked-memory", Plain with { Limits = small }));
        Expect(CheckStatus.Ok, "does not bind", Look("locked-memory", Plain with { Limits = small, Status = "CapEff:\t0000000000004000" }));
        Assert.Equal(new Bytes(8 << 20), Diagnosis.LockLimit(small, "CapEff:\t0"));
        Assert.Equal(Bytes.Zero, Diagnosis.LockLimit(null, null));
    }

    [Fact]
    public void The_attempt_to_lock_stays_within_the_limit_and_a_quarter_of_what_is_free()
    {
        Assert.Equal(new Bytes(8 << 20), LockedMemory.Bound(new Bytes(8 << 20), new Bytes(1L << 40)));
        Assert.Equal(new Bytes(256 << 20), LockedMemory.Bound(new Bytes(long.MaxValue), new Bytes(1L << 30)));
        Assert.InRange(LockedMemory.Bound(new Bytes(long.MaxValue), new Bytes(1L << 50)).GiB, 0.5, 4);
        Assert.Equal(Bytes.Zero, LockedMemory.Bound(Bytes.Zero, new Bytes(1L << 30)));
    }

    [Fact]
    public void Locking_nothing_or_a_little_is_tried_for_real()
    {
        Assert.Equal(Bytes.Zero, LockedMemory.Probe(Bytes.Zero).Locked);
        var little = LockedMemory.Probe(new Bytes(1 << 20));
        Assert.True(little.Locked.Value == 1 << 20 || little.Failure is not null);
    }

    [Fact]
    public void What_could_be_locked_is_reported_with_the_reason_for_no_more()
    {
        Expect(CheckStatus.Ok, "2.000 GiB were locked", Look("pinning", Plain));
        Expect(
            CheckStatus.Warn,
            "8.00 MiB of 16.00 MiB could be locked (Cannot allocate memory)",
            Look("pinning", Plain with { Pinned = new PinningTrial(new Bytes(8 << 20), new Bytes(16 << 20), "Cannot allocate memory") })
        );
        Expect(
            CheckStatus.Missing,
            "0 bytes",
            Look("pinning", Plain with { Pinned = new PinningTrial(Bytes.Zero, Bytes.Zero, "the limit allows none") })
        );
    }

    [Fact]
    public void Huge_pages_are_best_always()
    {
        Expect(CheckStatus.Ok, "always; 0 of 2.00 MiB reserved", Look("huge-pages", Plain));
        Expect(CheckStatus.Warn, "madvise", Look("huge-pages", Plain with { HugePages = "always [madvise] never" }));
        Expect(CheckStatus.Missing, "no transparent ones", Look("huge-pages", Plain with { HugePages = null }));
    }

    [Fact]
    public void Without_a_gpu_it_says_so()
    {
        Expect(CheckStatus.Missing, "no libcuda.so.1", Look("driver", Plain));
        Expect(CheckStatus.Missing, "none can be used: no driver", Look("gpu", Plain));
        Expect(CheckStatus.Missing, "none of libnvrtc.so.13, libnvrtc.so.12", Look("nvrtc", Plain));
        Expect(CheckStatus.Missing, "no compiled kernels", Look("cubins", Plain));
        Expect(
            CheckStatus.Ok,
            "11 for sm_80, 11 for compute_80",
            Look("cubins", Plain with { Kernels = [("sm_80", 11), ("compute_80", 11)] })
        );
    }

    [Fact]
    public void A_gpu_is_matched_with_its_profile_by_the_drivers_name()
    {
        GpuFacts h200 = new("NVIDIA H200", new Bytes(143771L << 20), new Bytes(140L << 30), new ComputeCapability(9, 0), 5, 16);
        var facts = Plain with
        {
            Gpus = new GpuReading([h200], "13.0", null),
            DriverText = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build",
            Libraries =
            [
                new LibraryFinding("driver", "any GPU run", ["libcuda.so.1"], "libcuda.so.1"),
                new LibraryFinding("nvrtc", "compiling", ["libnvrtc.so.13"], "libnvrtc.so.13"),
            ],
        };
        Expect(CheckStatus.Ok, "kernel module 580.95.05, runs CUDA up to 13.0", Look("driver", facts));
        Assert.Equal(
            "NVIDIA H200, sm_90, 140.401 GiB, 140.000 GiB free, PCIe gen5 x16; hardware profile h200-sxm",
            Look("gpu", facts).Finding
        );
        Expect(CheckStatus.Ok, "libnvrtc.so.13", Look("nvrtc", facts));
        Expect(
            CheckStatus.Warn,
            "no hardware profile names it",
            Look("gpu", facts with { Gpus = new GpuReading([h200 with { Name = "NVIDIA H200 NVL" }], null, null) })
        );
        Expect(
            CheckStatus.Warn,
            "sm_70",
            Look("gpu", facts with { Gpus = new GpuReading([h200 with { Capability = new ComputeCapability(7, 0) }], null, null) })
        );
        Expect(CheckStatus.Warn, "but no kernel module", Look("driver", facts with { DriverText = null, Gpus = Plain.Gpus }));
        Expect(CheckStatus.Ok, "libcuda.so.1", Look("driver", facts with { DriverText = null }));
    }
}
