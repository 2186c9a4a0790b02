using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Data are told from other data, large ones by samples.</summary>
public class DataFingerprintTests
{
    [Fact]
    public void Any_byte_of_a_file_counts_and_so_does_what_packs_it()
    {
        string folder = Directory.CreateTempSubdirectory("dataflow-test").FullName;
        try
        {
            string file = Path.Combine(folder, "tokens.bin");
            byte[] bytes = [.. Enumerable.Range(0, 4001).Select(i => (byte)(i * 7))];
            string Print(byte[] content)
            {
                File.WriteAllBytes(file, content);
                return DataFingerprint.Of(folder).Text;
            }

            string before = Print(bytes);
            Assert.Equal(before, DataFingerprint.Of(file).Text);
            Assert.EndsWith(" of 4001 bytes", before, StringComparison.Ordinal);
            bytes[2000] ^= 1;
            Assert.NotEqual(before, Print(bytes));
            bytes[2000] ^= 1;
            Assert.Equal(before, Print(bytes));
            File.WriteAllText(Path.Combine(folder, "documents.json"), "[]");
            Assert.NotEqual(before, Print(bytes));
            Assert.Throws<UserErrorException>(() => DataFingerprint.Of(Path.Combine(folder, "nosuch")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(99_999, true)]
    [InlineData(250, false)] // between the first block of 4 bytes and the second, at 392
    public void Of_a_large_file_blocks_from_its_first_to_its_last_count(int changed, bool seen)
    {
        string file = Path.GetTempFileName();
        try
        {
            byte[] bytes = new byte[100_000];
            File.WriteAllBytes(file, bytes);
            var before = DataFingerprint.Of(file, whole: 4 * DataFingerprint.Blocks);
            Assert.True(before.IsSampled);
            Assert.False(DataFingerprint.Of(file).IsSampled);
            bytes[changed] = 1;
            File.WriteAllBytes(file, bytes);
            Assert.Equal(seen, before != DataFingerprint.Of(file, whole: 4 * DataFingerprint.Blocks));
            Assert.EndsWith(" of 256 blocks in 100000 bytes", before.Text, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
