-- Run once by a new server: one database for what is shared and for Dagster, one for each lake.
create database state;
create database catalog;
create database published;
