using System.Text;
using Dataflow.Model;

namespace Dataflow.Cuda.Tests;

/// <summary>What has changed is compiled, what has not is kept, and a device gets the best image whose sources are today's.</summary>
public sealed class KernelBuildTests : IDisposable
{
    private const string Kernel = "#include \"shared.cuh\"\nextern \"C\" __global__ void set(int* all) { all[threadIdx.x] = VALUE; }\n";
    private readonly TemporaryFolder folder = new();

    public KernelBuildTests()
    {
        Fetched.UseNvrtc();
        folder.Put("kernels/shared.cuh", "#include \"deeper.cuh\"\n");
        folder.Put("kernels/deeper.cuh", "#define VALUE 1\n");
        folder.Put("kernels/unused.cuh", "");
        folder.Put("kernels/set.cu", Kernel);
        folder.Put("kernels/plain.cu", "extern \"C\" __global__ void plain(int* all) { all[0] = 2; }\n");
    }

    private KernelStore Store => new(Path.Combine(folder.Root, "images"));

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Every_file_is_compiled_for_every_target_once()
    {
        var first = Build("sm_80", "compute_80");
        Assert.Equal(
            ["plain compute_80", "plain sm_80", "set compute_80", "set sm_80"],
            first.Select(r => $"{r.Kernel} {r.Target}").Order(StringComparer.Ordinal)
        );
        Assert.All(first, r => Assert.False(r.WasKept));
        Assert.All(first, r => Assert.True(File.Exists(Store.ImagePath(r.Kernel, r.Target))));
        var second = Build("sm_80", "compute_80");
        Assert.All(second, r => Assert.True(r.WasKept));
        Assert.Equal(
            first.Single(r => r.Kernel == "set" && r.Target.Name == "sm_80").Facts!.EntryPoints,
            second.Single(r => r.Kernel == "set" && r.Target.Name == "sm_80").Facts!.EntryPoints
        );
    }

    [Fact]
    public void A_header_that_is_included_through_another_counts_and_one_that_is_not_does_not()
    {
        Build("sm_80");
        folder.Put("kernels/deeper.cuh", "#define VALUE 3\n");
        folder.Put("kernels/unused.cuh", "changed");
        Assert.Equal(["set"], Build("sm_80").Where(r => !r.WasKept).Select(r => r.Kernel));
    }

    [Fact]
    public void Damaged_images_and_those_of_another_compiler_are_made_anew()
    {
        Build("sm_80");
        var target = KernelTarget.Parse("sm_80");
        File.Delete(Store.ImagePath("plain", target));
        Store.Write("set", target, [1], Store.Facts("set", target)! with { Compiler = "1.0" });
        Assert.All(Build("sm_80"), r => Assert.False(r.WasKept));
        folder.Put("images/sm_80/set.json", "{ half");
        Assert.Equal(["set"], Build("sm_80").Where(r => !r.WasKept).Select(r => r.Kernel));
    }

    [Fact]
    public void A_flipped_bit_anywhere_in_an_image_makes_it_anew()
    {
        Build("sm_80");
        string path = Store.ImagePath("set", KernelTarget.Parse("sm_80"));
        byte[] whole = File.ReadAllBytes(path);
        foreach (int at in (int[])[0, whole.Length / 2, whole.Length - 1])
        {
            byte[] damaged = [.. whole];
            damaged[at] ^= 4;
            File.WriteAllBytes(path, damaged);
            Assert.Equal(whole, Images(8, 0).Image("set"));
            File.WriteAllBytes(path, damaged);
            Assert.Equal(["set"], Build("sm_80").Where(r => !r.WasKept).Select(r => r.Kernel));
            Assert.Equal(whole, File.ReadAllBytes(path));
        }

        File.WriteAllBytes(path, whole[..^1]);
        Assert.Contains(
            "there are no kernels of set for sm_80",
            Assert.Throws<MachineException>(() => new CompiledKernelImages(new ComputeCapability(8, 0), Store, null).Image("set")).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Faults_are_results_and_the_others_are_compiled_all_the_same()
    {
        folder.Put("kernels/faulty.cu", "this is no kernel");
        var results = Build("sm_80");
        Assert.Contains("faulty.cu(1): error", Assert.Single(results, r => r.Fault is not null).Fault, StringComparison.Ordinal);
        Assert.Equal(["plain", "set"], results.Where(r => r.Facts is not null).Select(r => r.Kernel));
    }

    [Fact]
    public void Images_of_sources_that_are_gone_are_removed()
    {
        Build("sm_80");
        File.Delete(Path.Combine(folder.Root, "kernels/plain.cu"));
        Build("sm_80");
        Assert.Equal(["set.cubin", "set.json"], Directory.GetFiles(Path.Combine(Store.Folder, "sm_80")).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void A_device_gets_machine_code_of_its_own_else_text()
    {
        Build("sm_80", "sm_86", "compute_80");
        Assert.Equal(File.ReadAllBytes(Store.ImagePath("set", KernelTarget.Parse("sm_86"))), Images(8, 9).Image("set"));
        Assert.Contains(".target sm_80", Encoding.UTF8.GetString(Images(12, 0).Image("set")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_changed_source_is_compiled_when_it_is_loaded_and_kept()
    {
        Build("sm_80");
        byte[] before = Images(8, 0).Image("set");
        folder.Put("kernels/deeper.cuh", "#define VALUE 77\n");
        byte[] after = Images(8, 0).Image("set");
        Assert.NotEqual(before, after);
        Assert.Equal(after, File.ReadAllBytes(Store.ImagePath("set", KernelTarget.Parse("sm_80"))));
        Assert.All(Build("sm_80"), r => Assert.True(r.WasKept));
    }

    [Fact]
    public void Without_sources_images_are_taken_as_they_are_and_a_missing_one_is_named()
    {
        Build("sm_80");
        var images = new CompiledKernelImages(new ComputeCapability(8, 0), Store, null);
        Assert.NotEmpty(images.Image("set"));
        Assert.Contains(
            "there are no kernels of other for sm_80",
            Assert.Throws<MachineException>(() => images.Image("other")).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_GPU_that_is_too_old_is_refused() =>
        Assert.Contains(
            "compute capability 8.0",
            Assert.Throws<MachineException>(() => Images(7, 5).Image("set")).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void Without_a_file_for_the_emulation_it_says_how_to_get_one() =>
        Assert.Contains(
            "make emulation",
            Assert.Throws<MachineException>(() => KernelImages.Emulated(folder.Root).Load(null!, "set")).Message,
            StringComparison.Ordinal
        );

    private KernelSources Sources() => KernelSources.Read(Path.Combine(folder.Root, "kernels"));

    private CompiledKernelImages Images(int major, int minor) => new(new ComputeCapability(major, minor), Store, Sources());

    private IReadOnlyList<KernelBuildResult> Build(params string[] targets) =>
        KernelBuild.Run(Sources(), [.. targets.Select(KernelTarget.Parse)], Store, threads: 2);
}
