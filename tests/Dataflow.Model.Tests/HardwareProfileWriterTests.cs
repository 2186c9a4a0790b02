using System.Collections.Immutable;

namespace Dataflow.Model.Tests;

/// <summary>A written profile is read back as it was.</summary>
public class HardwareProfileWriterTests
{
    public static TheoryData<string> Files =>
        [
            .. Directory
                .GetFiles(Path.Combine(Repository.Root, "profiling", "hardware"), "*.json")
                .Select(f => Path.GetFileNameWithoutExtension(f)!),
        ];

    [Theory]
    [MemberData(nameof(Files))]
    public void Write_then_Parse_is_the_same(string name)
    {
        var profile = HardwareProfileReader.Parse(
            File.ReadAllText(Path.Combine(Repository.Root, "profiling", "hardware", name + ".json")),
            name
        );
        var rates = ImmutableSortedDictionary<Kernel, ImmutableArray<KernelRate>>
            .Empty.Add(Kernel.GemmForward, [new(128, 512, 256, 1, 1.25e11), new(128, 512, 1024, 1, 1e12 / 3)])
            .Add(Kernel.Update, [new(1, 1, 1, 4096, 7e9)]);
        foreach (
            var measured in new[] { profile, profile with { Kernels = new KernelRates(DType.BFloat16, "a \"test\", > 1 GB/s", rates) } }
        )
        {
            string text = HardwareProfileWriter.Write(measured);
            var again = HardwareProfileReader.Parse(text, name);
            Assert.Equal(text, HardwareProfileWriter.Write(again));
            Assert.Equal(measured.Links, again.Links);
            Assert.Equal(measured.Efficiency, again.Efficiency);
            Assert.Equal(measured.SmCount, again.SmCount);
            Assert.Equal(measured.Kernels?.Source, again.Kernels?.Source);
            Assert.Equal(measured.Kernels?.ByKernel.SelectMany(k => k.Value), again.Kernels?.ByKernel.SelectMany(k => k.Value));
        }
    }
}
