"""Do the statistics keep their level? Planted worlds, whose truth is known, by the thousand."""
