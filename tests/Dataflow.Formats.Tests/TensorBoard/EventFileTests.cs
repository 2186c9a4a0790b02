using System.Text;
using Dataflow.Formats.TensorBoard;
using Dataflow.Training;

namespace Dataflow.Formats.Tests.TensorBoard;

/// <summary>Event files, read back by a reader of the formats' descriptions.</summary>
public class EventFileTests
{
    [Fact]
    public void The_checksum_is_Castagnolis()
    {
        byte[] digits = Encoding.ASCII.GetBytes("123456789");
        Assert.Equal(0xe3069283, EventReader.Castagnoli(digits));
        uint crc = EventReader.Castagnoli(digits);
        Assert.Equal(((crc >> 15) | (crc << 17)) + 0xa282ead8, EventFile.MaskedChecksum(digits));
    }

    [Fact]
    public void What_is_written_is_read_back_and_every_record_has_its_checksums()
    {
        using var folder = new TemporaryFolder();
        string path;
        using (var file = EventFile.Create(folder.Root, 1700000000.25, 5))
        {
            path = file.Path;
            file.Add(1700000001.5, 5, [("loss/training", 2.5), ("größe", -1e-20)]);
            file.Add(1700000002.5, 300, [("loss/training", double.NaN)]);
        }

        Assert.Contains("tfevents.1700000000", Path.GetFileName(path), StringComparison.Ordinal);
        var events = EventReader.Read(File.ReadAllBytes(path));
        Assert.Equal("brain.Event:2", events[0].Version);
        Assert.Equal((5, 1ul), (events[1].Step, events[1].Session!.Value));
        Assert.Equal((1700000001.5, 5), (events[2].Seconds, events[2].Step));
        Assert.Equal([("loss/training", 2.5f), ("größe", -1e-20f)], events[2].Scalars);
        Assert.Equal(300, events[3].Step);
        Assert.True(float.IsNaN(Assert.Single(events[3].Scalars).Value));
    }

    [Fact]
    public void A_flipped_bit_is_found_anywhere()
    {
        using var folder = new TemporaryFolder();
        string path;
        using (var file = EventFile.Create(folder.Root, 1, 1))
        {
            path = file.Path;
            file.Add(2, 1, [("loss", 2.5)]);
        }

        byte[] bytes = File.ReadAllBytes(path);
        for (int at = 0; at < bytes.Length; at++)
        {
            byte[] damaged = [.. bytes];
            damaged[at] ^= 4;
            Assert.ThrowsAny<Exception>(() => EventReader.Read(damaged));
        }
    }

    [Fact]
    public void Histograms_have_every_value_in_its_bucket()
    {
        using var folder = new TemporaryFolder();
        float[] values = [-3, -1e-30f, 0, 1e-5f, 0.5f, 0.5f, 7, float.NaN];
        var spread = new ValueHistogram();
        spread.Add(values, each: 2);
        string path;
        using (var file = EventFile.Create(folder.Root, 1, 1))
        {
            path = file.Path;
            file.Add(2, 1, [], [("weights/head", spread), ("weights/none", new ValueHistogram())]);
        }

        var read = EventReader.Read(File.ReadAllBytes(path))[2].Histograms;
        var (tag, histogram) = read[0];
        Assert.Equal("weights/head", tag);
        Assert.Equal([-3, 7, 14], histogram.Sums[..3]);
        Assert.Equal(2 * values[..^1].Sum(v => (double)v), histogram.Sums[3], 9);
        Assert.Equal(2 * values[..^1].Sum(v => (double)v * v), histogram.Sums[4], 9);
        Assert.Equal(histogram.Limits.Length, histogram.Counts.Length);
        Assert.Equal(histogram.Limits.Order(), histogram.Limits);
        Assert.Equal(14, histogram.Counts.Sum());
        for (int b = 1; b < histogram.Limits.Length; b++)
        {
            int inside = values.Count(v => v > histogram.Limits[b - 1] && v <= histogram.Limits[b]);
            Assert.Equal(2 * inside, histogram.Counts[b]);
        }

        Assert.Equal([0.0], read[1].Values.Counts);
    }

    [Fact]
    public void Ten_thousand_steps_are_below_five_megabytes()
    {
        using var folder = new TemporaryFolder();
        string path;
        using (var file = EventFile.Create(folder.Root, 1, 1))
        {
            path = file.Path;
            for (int step = 1; step <= 10_000; step++)
            {
                file.Add(step, step,
                [
                    ("loss/training", 2.5), ("learning rate", 1e-3), ("speed/tokens a second", 1e5),
                    ("speed/predicted tokens a second", 1e5), ("tokens", 1e6), ("gradient norm/all", 1), ("preferences/margin", 0.5),
                    ("preferences/accuracy", 0.5), ("preferences/reward of the chosen", 0.5), ("preferences/reward of the rejected", 0.5),
                ]);
            }
        }

        Assert.InRange(new FileInfo(path).Length, 1, 5_000_000);
        Assert.Equal(10_002, EventReader.Read(File.ReadAllBytes(path)).Count);
    }

    [Fact]
    public void A_second_file_of_the_same_second_has_another_name()
    {
        using var folder = new TemporaryFolder();
        using var one = EventFile.Create(folder.Root, 1, 1);
        using var other = EventFile.Create(folder.Root, 1, 7);
        Assert.Equal(2, Directory.GetFiles(folder.Root, "*tfevents*").Length);
        Assert.True(string.CompareOrdinal(one.Path, other.Path) < 0);
    }
}
